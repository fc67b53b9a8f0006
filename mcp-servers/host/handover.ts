import type { Server as HttpServer } from 'node:http';
import { Server, Socket } from 'node:net';
import { assignment } from '../../specs/assignment.ts';
import type { Assignment, HostInput, HostOutput } from '../../specs/assignment.ts';

export interface Handover {
  readonly assignment: Assignment;
  /** The socket the controllers have bound: it listens already. */
  readonly listener: Server;
  /** Tells the controllers that from here on this process lives without them. */
  accept(): void;
}

/** The channel closed, or there never was one. */
export class Unassigned extends Error {
  override readonly name = 'Unassigned';
}

/** How long after `accepted` connections that the controllers still hold may arrive. */
const lingerMs = 2000;

/**
 * Waits for the assignment, however long: a host may be started before it is needed.
 * Connections that the controllers accepted meanwhile go to the HTTP server, in the order of their arrival.
 * Throws Unassigned when the channel closes first, and an Error for an assignment this host cannot read.
 */
export async function receiveHandover(http: HttpServer, attempt: string | null): Promise<Handover> {
  const { message, handle, accept } = await receiveMessage(http);
  return { assignment: readAssignment(message, attempt), listener: readListener(handle), accept };
}

interface Received {
  readonly message: { assignment: unknown };
  readonly handle: unknown;
  accept(): void;
}

function receiveMessage(http: HttpServer): Promise<Received> {
  return new Promise((resolve, reject) => {
    const early: Socket[] = [];
    let accepted = false;
    const channel = process.channel;
    if (channel === undefined || channel === null) {
      reject(new Unassigned('There is no channel to the controllers: a host is started by them, not by hand.'));
      return;
    }
    const connect = (socket: Socket) => http.emit('connection', socket);
    process.once('disconnect', () => {
      for (const socket of early) socket.destroy();
      reject(new Unassigned('The channel closed before an assignment came.'));
    });
    process.on('message', (message: HostInput, handle: unknown) => {
      if (message.kind === 'connection') {
        if (!(handle instanceof Socket)) return;
        if (accepted) connect(handle);
        else early.push(handle);
        return;
      }
      const accept = () => {
        accepted = true;
        for (const socket of early.splice(0)) connect(socket);
        process.send?.({ kind: 'accepted' } satisfies HostOutput, () => {});
        // The controllers close the channel when they have sent the last connection; or we do.
        setTimeout(() => process.connected && process.disconnect?.(), lingerMs).unref();
      };
      // Synchronous from here to the listening server: a connection would find no handler otherwise.
      resolve({ message, handle, accept });
    });
  });
}

function readAssignment(message: { assignment: unknown }, attempt: string | null): Assignment {
  const parsed = assignment.safeParse(message.assignment);
  if (!parsed.success) {
    const fields = parsed.error.issues.map(issue => `${issue.path.join('.')}: ${issue.message}`).join('; ');
    throw new Error(`The assignment cannot be read, host and controllers are of different versions: ${fields}`);
  }
  if (attempt !== null && parsed.data.attempt !== attempt) {
    throw new Error(`The assignment is for attempt ${parsed.data.attempt}, this host is for ${attempt}.`);
  }
  return parsed.data;
}

function readListener(handle: unknown): Server {
  if (handle instanceof Server) return handle;
  throw new Error('The assignment came without its listening socket.');
}
