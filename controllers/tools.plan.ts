import type { ToolHash } from '../specs/assignment.ts';
import type { EventDraft } from './process-world.ts';

/** A list of tools, and a hash over what the process that had it was made of. */
export interface ToolsSeen {
  readonly hash: string;
  readonly tools: readonly ToolHash[];
  readonly spec_hash: string;
}

/** More names than this make a sentence nobody reads; the data has all of them. */
const namesInSentence = 5;
const longestName = 64;
/** And more than this make an event nobody stores. */
const namesInData = 200;

/** What to tell of an instance's tools; null when they are its first, or no others than before. */
export function planToolsEvent(before: ToolsSeen | null, after: ToolsSeen): EventDraft | null {
  if (before === null || before.hash === after.hash) return null;
  const was = new Map(before.tools.map(tool => [tool.name, tool.hash]));
  const is = new Map(after.tools.map(tool => [tool.name, tool.hash]));
  const added = [...is.keys()].filter(name => !was.has(name));
  const removed = [...was.keys()].filter(name => !is.has(name));
  const changed = [...is].filter(([name, hash]) => was.has(name) && was.get(name) !== hash).map(([name]) => name);
  const parts = [
    ...(added.length > 0 ? [`added ${nameSome(added)}`] : []),
    ...(removed.length > 0 ? [`removed ${nameSome(removed)}`] : []),
    ...(changed.length > 0 ? [`changed ${nameSome(changed)}`] : []),
  ];
  // With the same spec it is somebody else's doing: the server's, or whoever took it over.
  const specChanged = before.spec_hash !== after.spec_hash;
  const why = specChanged ? ' Its type, configuration or api key was changed meanwhile.' : '';
  return {
    reason: 'ToolsChanged',
    message: `Its tools are others than before: ${parts.join('; ') || 'the same names in other words'}.${why}`,
    data: {
      before: before.hash,
      after: after.hash,
      specChanged,
      added: added.slice(0, namesInData),
      removed: removed.slice(0, namesInData),
      changed: changed.slice(0, namesInData),
    },
  };
}

function nameSome(names: readonly string[]): string {
  const some = names.slice(0, namesInSentence).map(readable).join(', ');
  return names.length > namesInSentence ? `${some} and ${names.length - namesInSentence} more` : some;
}

/** A server chooses its names; whoever reads the sentence has a terminal or a page. */
function readable(name: string): string {
  const plain = name.replaceAll(/[\p{Cc}\p{Cf}]/gu, '?');
  return plain.length > longestName ? `${plain.slice(0, longestName)}…` : plain;
}
