import { longestArgument } from './values.ts';

/** The values of an instance make more of a program than can be started; the message says where, and no value. */
export class OversizeError extends Error {}

/** Of all arguments and variables. Linux takes 2 MiB, of which some is for what is not counted here. */
const mostBytes = 1_048_576;

/** Each text costs a pointer and a NUL besides. */
const bytesBeside = 9;

/** Takes one more text of the program, named by `where`; `longest` is in characters. Throws OversizeError. */
export type Gauge = (where: string, text: string, longest?: number) => void;

export function createGauge(): Gauge {
  const encoder = new TextEncoder();
  let bytes = 0;
  return (where, text, longest = longestArgument) => {
    if (text.length > longest) {
      throw new OversizeError(`makes ${where} of the program longer than ${longest} characters; give shorter values`);
    }
    bytes += encoder.encode(text).length + bytesBeside;
    if (bytes <= mostBytes) return;
    throw new OversizeError(
      `makes the arguments and variables of the program larger than ${mostBytes} bytes; give fewer or shorter values`,
    );
  };
}
