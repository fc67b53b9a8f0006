import type { z } from 'zod';
import { figmaConfig, figmaKey } from './types/figma.ts';
import { githubConfig, githubKey } from './types/github.ts';
import { gmailConfig, gmailKey } from './types/gmail.ts';
import type { TypeManifest } from './types/manifest.ts';
import { stdioConfig, stdioKey } from './types/stdio.ts';

/**
 * A server type: what its instances take. `config` checks spec.config; `keyValues` checks the values
 * of its api key; `key` says whether an instance needs one, or may have one at all. A registered type has a
 * manifest, which says what is run; the others are code of their own.
 */
export interface ServerType {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly config: z.ZodType<Record<string, unknown>>;
  readonly keyValues: z.ZodType<Record<string, string>>;
  readonly key: 'required' | 'optional' | 'none';
  readonly manifest: TypeManifest | null;
}

const types: readonly ServerType[] = [
  {
    name: 'github',
    title: 'GitHub',
    description: 'Repositories, issues, pull requests and workflow runs of GitHub or GitHub Enterprise.',
    config: githubConfig,
    keyValues: githubKey,
    key: 'required',
    manifest: null,
  },
  {
    name: 'figma',
    title: 'Figma',
    description: 'Design files of Figma: compact trees for language models, images, comments, components and styles.',
    config: figmaConfig,
    keyValues: figmaKey,
    key: 'required',
    manifest: null,
  },
  {
    name: 'gmail',
    title: 'Gmail',
    description: 'Threads, messages, labels and drafts of a Gmail mailbox; sending only where it is allowed.',
    config: gmailConfig,
    keyValues: gmailKey,
    key: 'required',
    manifest: null,
  },
  {
    name: 'stdio',
    title: 'Any stdio server',
    description: 'A pinned package of the npm registry or a command, served over Streamable HTTP.',
    config: stdioConfig,
    keyValues: stdioKey,
    key: 'optional',
    manifest: null,
  },
];

/** The types that come with MiniMCP, by name. A Map, so that no name reaches Object.prototype. */
export const builtinTypes: ReadonlyMap<string, ServerType> = new Map(types.map(type => [type.name, type]));
