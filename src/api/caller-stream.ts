import type { FastifyReply, FastifyRequest } from 'fastify';
import { readLiveTokens } from '../db/tokens.ts';
import { errorMessage } from '../errors.ts';
import type { ApiContext } from './context.ts';
import { openEventStream } from './event-stream.ts';
import type { EventStream, Message } from './event-stream.ts';

/**
 * A stream to a caller: it ends with the hub and with the caller's token, and says now and then where it is
 * (null = in the middle of something), which also shows both sides that the other is there.
 */
export function openCallerStream(
  { pool, hub, log }: ApiContext,
  request: FastifyRequest,
  reply: FastifyReply,
  bookmark: () => Message | null,
): EventStream {
  const stream = openEventStream(reply);
  const { tokenId } = request.caller!;
  const timer = setInterval(() => {
    const message = bookmark();
    if (message === null) stream.beat();
    else stream.send([message]);
    void endWithToken();
  }, hub.timing.bookmarkMs);
  stream.onClose(() => clearInterval(timer));
  hub.keep(stream);
  return stream;

  async function endWithToken(): Promise<void> {
    try {
      if ((await readLiveTokens(pool, [tokenId])).length === 0) stream.end();
    } catch (error) {
      log.debug(`the token of a stream was not checked: ${errorMessage(error)}`);
    }
  }
}
