import net from 'node:net';

export interface Ports {
  readonly api: number;
  readonly from: number;
  readonly to: number;
}

const size = 120;

/**
 * A block of ports of a test's own, below the kernel's ephemeral range. The block's first port is kept
 * bound for as long as this process lives, so that test files in other processes choose other blocks.
 */
export async function freePorts(): Promise<Ports> {
  for (let tries = 0; tries < 200; tries++) {
    const base = 6_000 + Math.floor(Math.random() * 200) * size;
    if (await hold(base)) return { api: base + 1, from: base + 10, to: base + size - 1 };
  }
  throw new Error('no block of ports is free');
}

function hold(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = net.createServer(socket => socket.destroy());
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.unref();
      resolve(true);
    });
  });
}
