import { join } from 'node:path';

/** Where the embedded server keeps its things. Everything lies below MiniMCP's data directory. */
export interface Layout {
  readonly dataDir: string;
  /** `<dataDir>/postgres` */
  readonly root: string;
  /** The database cluster (PGDATA): `<dataDir>/postgres/<major>` */
  readonly cluster: string;
  readonly password: string;
  /** Held by whoever is starting a server, and by the programs it runs to make a cluster. */
  readonly startLock: string;
  /** Held by the server itself, from before its first line of code until its last process is gone. */
  readonly serverLock: string;
  readonly settings: string;
  readonly log: string;
}

/** `major` is the PostgreSQL major version, such as `18`. */
export function layoutOf(dataDir: string, major: string): Layout {
  const root = join(dataDir, 'postgres');
  const cluster = join(root, major);
  return {
    dataDir,
    root,
    cluster,
    password: join(root, 'password'),
    startLock: join(root, 'start.lock'),
    serverLock: join(root, 'server.lock'),
    settings: join(cluster, 'minimcp.conf'),
    log: join(cluster, 'server.log'),
  };
}

/** Things under construction carry this mark until they are renamed into place. */
export const unfinishedMark = '.new-';
