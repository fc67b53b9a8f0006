const newline = 0x0a;
/** What is kept of a line that is too long: enough to see which request it answers. */
const edgeBytes = 256;

export interface LineReader {
  /** A whole line without its end. */
  onLine(line: Buffer): void;
  /** A line over the limit was dropped; these are its first and last bytes. */
  onOversize(head: string, tail: string, bytes: number): void;
}

/** Splits a byte stream into lines in bounded memory. Call the result with every chunk. */
export function splitLines(maxLineBytes: number, { onLine, onOversize }: LineReader): (chunk: Buffer) => void {
  let parts: Buffer[] = [];
  let length = 0;
  let head: string | null = null;
  let tail = Buffer.alloc(0);

  const append = (part: Buffer) => {
    length += part.length;
    if (length <= maxLineBytes) return parts.push(part);
    const held = Buffer.concat([...parts, tail, part]);
    head ??= held.toString('latin1', 0, edgeBytes);
    // A copy: a view would hold on to all that is being dropped here.
    tail = Buffer.from(held.subarray(-edgeBytes));
    parts = [];
    return undefined;
  };
  const finish = () => {
    if (head !== null) onOversize(head, tail.toString('latin1'), length);
    else if (length > 0) onLine(parts.length === 1 ? parts[0]! : Buffer.concat(parts));
    parts = [];
    length = 0;
    head = null;
    tail = Buffer.alloc(0);
  };
  return chunk => {
    let from = 0;
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, from)) {
      if (end > from) append(chunk.subarray(from, end));
      finish();
      from = end + 1;
    }
    if (from < chunk.length) append(chunk.subarray(from));
  };
}
