import { Client, ProtocolError } from '@modelcontextprotocol/client';
import type { Implementation, JSONRPCMessage, ServerCapabilities, Transport } from '@modelcontextprotocol/client';
import type { ChildProcess } from 'node:child_process';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { writeWhole } from '../host/log.ts';
import { noValidator } from '../host/sdk-shims.ts';
import { readMessages } from './messages.ts';

/** The server behind the pipe, after its handshake. */
export interface Upstream {
  readonly client: Client;
  readonly info: Implementation;
  readonly capabilities: ServerCapabilities;
  readonly instructions: string | undefined;
}

/** Requests a child does not read pile up to here; then they are refused. */
const maxUnreadBytes = 16 * 1024 * 1024;
/** A line of plain text that a child prints on stdout is passed on to the log up to here. */
const maxNoiseBytes = 8 * 1024;

const identity: Implementation = { name: 'minimcp', version: '0.1.0' };
const modern = '2026-07-28';
const newline = Buffer.from('\n');

/**
 * Shakes hands with the child. By `initialize` first, for every server knows it and some die of anything else
 * before it; a server that answers it with an error is asked for the modern revision.
 */
export async function connectUpstream(
  child: ChildProcess,
  ended: Promise<unknown>,
  timeoutMs: number,
): Promise<Upstream> {
  const channel = openChannel(child, ended);
  const options = { jsonSchemaValidator: noValidator, capabilities: {} };
  let client = new Client(identity, options);
  try {
    await client.connect(channel.connect(), { timeout: timeoutMs });
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    client = new Client(identity, { ...options, versionNegotiation: { mode: { pin: modern } } });
    await client.connect(channel.connect(), { timeout: timeoutMs });
  }
  return {
    client,
    info: client.getServerVersion() ?? { name: 'unnamed', version: '0' },
    capabilities: client.getServerCapabilities() ?? {},
    instructions: client.getInstructions(),
  };
}

/** The child's stdin and stdout, over which one transport after the other may speak. */
function openChannel(child: ChildProcess, ended: Promise<unknown>): { connect(): Transport } {
  let current: Transport | null = null;
  const read = readMessages(child.stdout!, {
    onMessage: message => current?.onmessage?.(message),
    onNoise: line => writeWhole(2, Buffer.concat([line.subarray(0, maxNoiseBytes), newline])),
  });
  // Closed only when it is known how the child ended: what still waits is answered with that. Its output may
  // never end, a grandchild can hold it.
  void ended.then(() => Promise.race([read, nextTurn()])).then(() => current?.onclose?.());

  return {
    connect() {
      const transport: Transport = {
        async start() {
          current = transport;
        },
        // Leaves the child alone: who started it ends it.
        async close() {
          if (current === transport) current = null;
          transport.onclose?.();
        },
        send: message => send(child, message),
      };
      return transport;
    },
  };
}

async function send(child: ChildProcess, message: JSONRPCMessage): Promise<void> {
  const { stdin } = child;
  if (stdin === null || !stdin.writable) throw new Error('The server has closed its input.');
  if (stdin.writableLength > maxUnreadBytes) throw new Error('The server does not read its input.');
  stdin.write(`${JSON.stringify(message)}\n`);
}
