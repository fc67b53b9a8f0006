import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** Connections that may be open at once. Over it, those go first that never showed a token. */
const mostConnections = 1024;
/** Room for newcomers when all of these are clients with a token. */
const spareConnections = 64;
/** How long a connection may stay without showing a token. */
const strangerMs = 5000;

export interface Peers {
  /** This one has shown a valid token. */
  prove(socket: Socket): void;
  isProven(socket: Socket): boolean;
}

/**
 * Tells the connections that have shown a token from strangers. Strangers stay for seconds only, and where they
 * crowd the oldest of them makes room: so neither clients nor the controllers' probe are kept out.
 */
export function watchPeers(server: Server): Peers {
  // In the order of their arrival.
  const strangers = new Map<Socket, NodeJS.Timeout>();
  const proven = new Set<Socket>();
  const forget = (socket: Socket) => {
    clearTimeout(strangers.get(socket));
    strangers.delete(socket);
    proven.delete(socket);
  };
  server.maxConnections = mostConnections + spareConnections;
  // Before Node's own handler, which may read a request at once.
  server.prependListener('connection', (socket: Socket) => {
    const [oldest] = strangers.keys();
    if (oldest !== undefined && strangers.size + proven.size >= mostConnections) {
      forget(oldest);
      oldest.destroy();
    }
    const drop = () => strangers.has(socket) && socket.destroy();
    // After a standstill of this process, what the peer sent meanwhile is read first.
    const timer = setTimeout(() => setImmediate(drop), strangerMs).unref();
    strangers.set(socket, timer);
    socket.once('close', () => forget(socket));
  });
  return {
    prove(socket) {
      if (!strangers.has(socket)) return;
      forget(socket);
      proven.add(socket);
    },
    isProven: socket => proven.has(socket),
  };
}
