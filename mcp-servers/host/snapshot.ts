import { randomUUID } from 'node:crypto';
import { startupSnapshot } from 'node:v8';
import { exercise } from './exercise.ts';
import { runHost } from './host.ts';

/**
 * Node draws UUIDs this many at a time. Those that the exercise left over are in the snapshot, and so the same in
 * every host: they are used up before anything takes one for its own.
 */
const uuidsAhead = 128;

/**
 * The host as a V8 start-up snapshot: `node --snapshot-blob <blob> --build-snapshot <this, bundled>` runs this
 * up to here and keeps the heap; `node --snapshot-blob <blob> host --instance …` goes on from there, in half
 * the CPU of a start from the bundle. Valid for the very Node binary that built it, and no other.
 */
startupSnapshot.setDeserializeMainFunction(() => {
  for (let drawn = 0; drawn < uuidsAhead; drawn++) randomUUID();
  void runHost(process.argv.slice(1));
});
void exercise();
