/**
 * What is kept of a session's events for a client that comes back for them: the newest within these bounds, and
 * the very newest whatever its size.
 */
const mostEvents = 512;
const mostBytes = 4 * 1024 * 1024;

export interface StoredEvent {
  /** Grows from event to event within a session. */
  readonly number: number;
  readonly stream: string;
  /** The message as JSON. */
  readonly data: string;
}

export interface Journal {
  add(stream: string, data: string): StoredEvent;
  /** The kept events of a stream behind this number, oldest first. */
  since(stream: string, number: number): StoredEvent[];
}

export function createJournal(): Journal {
  const events: StoredEvent[] = [];
  let bytes = 0;
  let last = 0;
  return {
    add(stream, data) {
      const event = { number: ++last, stream, data };
      events.push(event);
      bytes += data.length;
      while (events.length > mostEvents || (events.length > 1 && bytes > mostBytes)) {
        bytes -= events.shift()!.data.length;
      }
      return event;
    },
    since: (stream, number) => events.filter(event => event.stream === stream && event.number > number),
  };
}

/** Which stream to take up, and behind which of its events. */
export interface EventId {
  readonly stream: string;
  readonly number: number;
}

export function formatEventId({ stream, number }: EventId): string {
  return `${stream}-${number}`;
}

/** Null for what formatEventId never wrote. */
export function parseEventId(id: string): EventId | null {
  const match = /^([a-z]\d{0,15})-(\d{1,15})$/.exec(id);
  return match === null ? null : { stream: match[1]!, number: Number(match[2]) };
}
