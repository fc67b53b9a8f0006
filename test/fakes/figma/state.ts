import type { Comment } from '@figma/rest-api-spec';
import { createLanding, createLarge } from './designs.ts';
import type { Design } from './designs.ts';
import { ada, writtenAt } from './library.ts';

export interface FileState {
  readonly key: string;
  readonly design: Design;
  version: number;
  readonly comments: Comment[];
}

export interface State {
  readonly token: string;
  readonly files: Map<string, FileState>;
  readonly teamId: string;
  /** Where image ref or node id leads, in place of the fake's own images. */
  readonly images: Map<string, string>;
}

/** Each test has files of its own, so that none finds what another has left in memory. */
const landings = Array.from({ length: 20 }, (_, index) => `Landing${String(index).padStart(15, '0')}`);
const large = Array.from({ length: 6 }, (_, index) => `Large${String(index).padStart(17, '0')}`);

export function createState(): State {
  const file = (key: string, design: Design): [string, FileState] => [
    key,
    { key, design, version: 100, comments: createComments(key) },
  ];
  const files = [...landings.map(key => file(key, createLanding())), ...large.map(key => file(key, createLarge()))];
  return { token: 'figd_testtoken', files: new Map(files), teamId: '4711', images: new Map() };
}

function createComments(key: string): Comment[] {
  const comment = (id: number, given: Partial<Comment> & Pick<Comment, 'client_meta'>): Comment => ({
    id: String(id),
    file_key: key,
    user: ada,
    created_at: writtenAt.replace('12:00', `12:0${id}`),
    resolved_at: null,
    message: `Comment ${id}`,
    order_id: String(id),
    reactions: [],
    ...given,
  });
  const at = { node_id: '1:2', node_offset: { x: 10, y: 20 } };
  return [
    comment(1, { client_meta: at }),
    comment(2, { client_meta: at, parent_id: '1', order_id: null }),
    comment(3, { client_meta: { x: 5, y: 6 }, resolved_at: writtenAt }),
  ];
}
