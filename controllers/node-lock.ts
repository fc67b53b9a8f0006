import net from 'node:net';
import { MiniMcpError } from '../src/errors.ts';

export interface NodeLock {
  release(): Promise<void>;
}

/**
 * Makes sure that one process alone starts and stops this node's processes. The lock is an abstract Unix
 * socket: the kernel gives it to one and takes it back from the dead, so a kill -9 leaves nothing to clean.
 * Throws `NodeTaken`.
 */
export function lockNode(owner: string): Promise<NodeLock> {
  return new Promise((resolve, reject) => {
    const server = net.createServer(socket => socket.destroy());
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') return reject(error);
      reject(
        new MiniMcpError('NodeTaken', 'Another MiniMCP process already runs the process controller of this node', {
          hint: 'End it first, or give this one another name with MINIMCP_NODE',
        }),
      );
    });
    // NUL begins an abstract name; it is not a file.
    server.listen({ path: `\0minimcp/${owner}`.slice(0, 100) }, () => {
      server.unref();
      resolve({ release: () => new Promise(done => server.close(() => done())) });
    });
  });
}
