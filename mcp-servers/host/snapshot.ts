import { startupSnapshot } from 'node:v8';
import { exercise } from './exercise.ts';
import { runHost } from './host.ts';

/**
 * The host as a V8 start-up snapshot: `node --snapshot-blob <blob> --build-snapshot <this, bundled>` runs this
 * up to here and keeps the heap; `node --snapshot-blob <blob> host --instance …` goes on from there, in half
 * the CPU of a start from the bundle. Valid for the very Node binary that built it, and no other.
 */
startupSnapshot.setDeserializeMainFunction(() => {
  void runHost(process.argv.slice(1));
});
void exercise();
