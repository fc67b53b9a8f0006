import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { Config } from '../config.ts';
import type { Pool } from '../db/pool.ts';
import type { Scope } from '../db/tokens.ts';
import type { Logger } from '../logger.ts';
import type { Vault } from '../secrets/envelope.ts';
import type { Hub } from './hub.ts';

/** The app with routes that know the types of their schemas. */
export type Api = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** What `buildApi` needs from outside. */
export interface ApiOptions {
  readonly pool: Pool;
  /** For lists and events; may be a replica. The same as `pool` where there is none. */
  readonly readPool: Pool;
  readonly vault: Vault;
  readonly config: Config;
  readonly log: Logger;
  /** MiniMCP's version. */
  readonly version: string;
  readonly streamTiming?: Partial<StreamTiming>;
}

/** How patient streams are; what is left out is as `createHub` has it. */
export interface StreamTiming {
  /** Between two bookmarks, which are signs of life too. */
  readonly bookmarkMs: number;
  /** Between two looks for nodes that fell silent. */
  readonly nodesMs: number;
  /** A client that reads nothing for so long is let go. */
  readonly drainMs: number;
}

/** What routes work with. */
export interface ApiContext extends ApiOptions {
  readonly hub: Hub;
}

/** Who asks. */
export interface Caller {
  readonly tokenId: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What the token must allow; `public` = no token is needed; unset = any token. */
    readonly scope?: Scope | 'public';
  }
  interface FastifyRequest {
    /** Null on public routes alone. */
    caller: Caller | null;
  }
}
