import { Client, ProtocolError, SdkError, SdkErrorCode } from '@modelcontextprotocol/client';
import type { Implementation, JSONRPCMessage, ServerCapabilities, Transport } from '@modelcontextprotocol/client';
import type { ChildProcess } from 'node:child_process';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { noValidator } from '../host/sdk-shims.ts';
import { passNoise, readMessages, writeMessage } from './messages.ts';

/** The server behind the pipe, after its handshake. */
export interface Upstream {
  readonly client: Client;
  readonly info: Implementation;
  readonly capabilities: ServerCapabilities;
  readonly instructions: string | undefined;
}

/** A server confirms a subscription when it likes; this is only setTimeout's longest. */
const noTimeoutMs = 2 ** 31 - 1;

const identity: Implementation = { name: 'minimcp', version: '0.1.0' };
const modern = '2026-07-28';
const modernEnvelope = {
  'io.modelcontextprotocol/protocolVersion': modern,
  'io.modelcontextprotocol/clientInfo': identity,
  'io.modelcontextprotocol/clientCapabilities': {},
};

/**
 * Shakes hands with the child. By `initialize` first, for every server knows it and some die of anything else
 * before it. It carries the envelope of the modern revision in `_meta`: one that speaks only the older revisions
 * takes no notice and is ready after its one answer; one that speaks the modern revision refuses `initialize`
 * there, and is then discovered in the same process. A server that takes offence gets it without.
 */
export async function connectUpstream(
  child: ChildProcess,
  ended: Promise<unknown>,
  timeoutMs: number,
): Promise<Upstream> {
  const channel = openChannel(child, ended);
  const attempt = async (mode: 'legacy' | { pin: string }, envelope: object | null) => {
    const client = new Client(identity, {
      jsonSchemaValidator: noValidator,
      capabilities: {},
      versionNegotiation: { mode },
    });
    await client.connect(channel.connect(envelope), { timeout: timeoutMs });
    return client;
  };
  const ifRefused = (next: () => Promise<Client>) => (error: unknown) => {
    if (isRefusal(error)) return next();
    throw error;
  };
  const client = await attempt('legacy', modernEnvelope)
    .catch(ifRefused(() => attempt({ pin: modern }, null)))
    .catch(ifRefused(() => attempt('legacy', null)));
  listenToLists(client);
  return {
    client,
    info: client.getServerVersion() ?? { name: 'unnamed', version: '0' },
    capabilities: client.getServerCapabilities() ?? {},
    instructions: client.getInstructions(),
  };
}

/** The server has answered, but not what was hoped for. */
function isRefusal(error: unknown): boolean {
  if (error instanceof SdkError) return error.code === SdkErrorCode.EraNegotiationFailed;
  return error instanceof ProtocolError;
}

/** In the modern revision a server says that a list has changed to those alone who have asked for it. */
function listenToLists(client: Client): void {
  const { tools, prompts, resources } = client.getServerCapabilities() ?? {};
  const filter = {
    ...(tools?.listChanged === true && { toolsListChanged: true }),
    ...(prompts?.listChanged === true && { promptsListChanged: true }),
    ...(resources?.listChanged === true && { resourcesListChanged: true }),
  };
  if (client.getProtocolEra() !== 'modern' || Object.keys(filter).length === 0) return;
  // A server that promises and does not keep it is served all the same.
  client.listen(filter, { timeout: noTimeoutMs }).catch(() => {});
}

/**
 * The child's stdin and stdout, over which one transport after the other may speak. An envelope is added to the
 * `_meta` of `initialize`.
 */
function openChannel(child: ChildProcess, ended: Promise<unknown>): { connect(envelope: object | null): Transport } {
  let current: Transport | null = null;
  const read = readMessages(child.stdout!, {
    onMessage: message => current?.onmessage?.(message),
    onNoise: passNoise,
  });
  // Closed only when it is known how the child ended: what still waits is answered with that. Its output may
  // never end, a grandchild can hold it.
  void ended.then(() => Promise.race([read, nextTurn()])).then(() => current?.onclose?.());

  return {
    connect(envelope) {
      const transport: Transport = {
        async start() {
          current = transport;
        },
        // Leaves the child alone: who started it ends it.
        async close() {
          if (current === transport) current = null;
          transport.onclose?.();
        },
        async send(message) {
          writeMessage(child.stdin, envelope === null ? message : claim(message, envelope));
        },
      };
      return transport;
    },
  };
}

function claim(message: JSONRPCMessage, envelope: object): JSONRPCMessage {
  if (!('method' in message) || message.method !== 'initialize') return message;
  const { _meta: meta, ...params } = message.params ?? {};
  return { ...message, params: { ...params, _meta: { ...meta, ...envelope } } };
}
