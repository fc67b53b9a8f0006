import { appendFileSync } from 'node:fs';

/** Every place where a kill -9 was thought about. A test kills at each of them. */
export const crashpoints = [
  'begin:before-intent',
  'begin:after-intent',
  'start:before-bind',
  'start:bound',
  'start:spawned',
  'start:assigned',
  'start:accepted',
  'start:before-record',
  'start:recorded',
  'adopt:before-record',
  'adopt:recorded',
  'phase:before-record',
  'phase:recorded',
  'renew:before-send',
  'renew:sent',
  'renew:recorded',
  'stop:before-intent',
  'stop:after-intent',
  'stop:signalled',
  'kill:before-signal',
  'kill:signalled',
  'end:before-record',
  'end:recorded',
  'delete:before-record',
  'delete:recorded',
] as const;

export type Crashpoint = (typeof crashpoints)[number];

// Inert unless a test arms it: the name of the point, and a file that gets the name before the end.
const armed = process.env['MINIMCP_TEST_CRASHPOINT'];
const witness = process.env['MINIMCP_TEST_CRASHPOINT_FILE'];

/** Ends this process here with SIGKILL, as bad luck would, when a test has armed the point. */
export function crashpoint(name: Crashpoint): void {
  if (armed !== name) return;
  if (witness !== undefined) appendFileSync(witness, `${name}\n`);
  process.kill(process.pid, 'SIGKILL');
}
