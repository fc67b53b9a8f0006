import { PassThrough } from 'node:stream';
import type { FastifyReply } from 'fastify';

export interface Message {
  readonly event: string;
  /** Left out where a reader that stops here must not resume here. */
  readonly id?: string | undefined;
  readonly data: unknown;
}

/** Server-sent events to one client, with a bounded buffer. */
export interface EventStream {
  readonly isOpen: boolean;
  /** The client reads slower than this writes. */
  readonly isFull: boolean;
  send(messages: readonly Message[]): void;
  /** A comment: a sign of life that means nothing. */
  beat(): void;
  /** Waits until the buffer is small again; false when the stream closed or nothing moved for `timeoutMs`. */
  drained(timeoutMs: number): Promise<boolean>;
  /** Answers how to take the listener back. */
  onClose(listener: () => void): () => void;
  /** After what is buffered, if the client takes that soon. */
  end(): void;
  /** At once. */
  drop(): void;
}

const fullBytes = 1_048_576;
const smallBytes = 65_536;
const graceMs = 1_000;

/** Begins the answer. The reply is the stream from here on. */
export function openEventStream(reply: FastifyReply): EventStream {
  const stream = new PassThrough();
  // The client went away while something was under way.
  stream.on('error', () => {});
  const { raw } = reply;
  const buffered = (): number => stream.writableLength + stream.readableLength + raw.writableLength;
  const isOpen = (): boolean => !stream.destroyed && !stream.writableEnded;
  reply.header('content-type', 'text/event-stream').header('x-accel-buffering', 'no');
  void reply.send(stream);
  stream.write('retry: 2000\n\n');

  function drainOrTimeout(timeoutMs: number): Promise<void> {
    return new Promise(resolve => {
      const timer = setTimeout(done, timeoutMs);
      for (const each of [stream, raw]) each.on('drain', done).on('close', done);
      function done(): void {
        clearTimeout(timer);
        for (const each of [stream, raw]) each.off('drain', done).off('close', done);
        resolve();
      }
    });
  }

  return {
    get isOpen() {
      return isOpen();
    },
    get isFull() {
      return buffered() > fullBytes;
    },
    send(messages) {
      if (isOpen()) for (const message of messages) stream.write(toText(message));
    },
    beat() {
      if (isOpen()) stream.write(':\n\n');
    },
    async drained(timeoutMs) {
      let least = buffered();
      let deadline = performance.now() + timeoutMs;
      while (isOpen() && buffered() > smallBytes) {
        await drainOrTimeout(deadline - performance.now());
        if (buffered() < least) {
          least = buffered();
          deadline = performance.now() + timeoutMs;
        } else if (performance.now() >= deadline) {
          return false;
        }
      }
      return isOpen();
    },
    onClose(listener) {
      stream.once('close', listener);
      return () => stream.off('close', listener);
    },
    end() {
      if (isOpen()) stream.end();
      // Who does not read does not keep the connection.
      setTimeout(() => raw.destroy(), graceMs).unref();
    },
    drop() {
      raw.destroy();
    },
  };
}

function toText({ event, id, data }: Message): string {
  return `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
}
