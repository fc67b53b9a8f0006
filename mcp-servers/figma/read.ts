import type { GetFileMetaResponse, GetFileNodesResponse, GetFileResponse } from '@figma/rest-api-spec';
import type { FigmaApi } from './api.ts';
import { createOutline } from './design/outline.ts';
import type { Legend } from './design/outline.ts';
import { isNode, textOf } from './design/raw.ts';
import { locate } from './drawings.ts';
import type { Drawing, NodeIds } from './drawings.ts';
import { CannotDo, FigmaRefusal, RateLimited, UnreadableAnswer } from './errors.ts';

export interface Wanted {
  readonly fileKey: string;
  readonly ids: NodeIds;
  /** Levels below what is wanted; Infinity = all. */
  readonly depth: number;
}

export interface Reading {
  readonly drawing: Drawing;
  /** Indexes of what was wanted within the drawing's outline. */
  readonly roots: readonly number[];
  readonly missing: readonly string[];
  /** How it comes that Figma was, or was not, asked for the file. */
  readonly source: string;
}

/** How long what was read is taken as true where the token may not see the version. */
const unverifiedMs = 60_000;

/**
 * Nodes of a file, from memory while their file's version stands: asking for that is cheap (Tier 3), the file
 * itself is dear (Tier 1, for some seats six a month). Throws CannotDo and what the client throws.
 */
export async function readDesign(api: FigmaApi, wanted: Wanted, signal: AbortSignal): Promise<Reading> {
  const startedMs = Date.now();
  const kept = findKept(api, wanted, 0);
  const state = kept === null ? null : await verify(api, kept.drawing, signal);
  if (kept !== null && state?.usable === true) return { ...kept, source: state.source };
  return api.reading.run(wanted.fileKey, signal, async () => {
    // Somebody else may have read it while this waited.
    const fresh = findKept(api, wanted, startedMs);
    if (fresh !== null) return { ...fresh, source: 'read a moment ago' };
    try {
      return await fetchDesign(api, wanted, signal);
    } catch (error) {
      if (kept === null || !(error instanceof RateLimited)) throw error;
      const until = new Date(error.limit.until).toISOString();
      const source = `OUTDATED: the file has changed since it was read at ${time(kept.drawing)}, but Figma's rate limit allows no new reading until ${until}`;
      return { ...kept, source };
    }
  });
}

const time = ({ readMs }: Drawing): string => new Date(readMs).toISOString();

function findKept({ drawings }: FigmaApi, { fileKey, ids, depth }: Wanted, sinceMs: number) {
  for (const drawing of drawings.of(fileKey)) {
    const roots = drawing.readMs >= sinceMs ? locate(drawing, ids, depth) : null;
    if (roots === null) continue;
    drawings.touch(drawing);
    return { drawing, roots, missing: [] };
  }
  return null;
}

async function verify(
  { client }: FigmaApi,
  drawing: Drawing,
  signal: AbortSignal,
): Promise<{ usable: boolean; source: string }> {
  const { fileKey } = drawing;
  try {
    const request = { tier: 3, resource: fileKey, path: `/v1/files/${fileKey}/meta` } as const;
    const { data } = await client.ask<GetFileMetaResponse>(request, signal);
    return { usable: data.file?.version === drawing.version, source: 'from memory, its version is the current one' };
  } catch (error) {
    if (error instanceof RateLimited) {
      return { usable: true, source: `from memory as of ${time(drawing)}: a rate limit leaves its version unchecked` };
    }
    // A token may read files and not their metadata.
    if (!(error instanceof FigmaRefusal) || error.status !== 403 || !/scope/i.test(error.message)) throw error;
    const source = `from memory as of ${time(drawing)}: the token lacks file_metadata:read, its version is unchecked`;
    return { usable: Date.now() - drawing.readMs < unverifiedMs, source };
  }
}

async function fetchDesign({ client, drawings }: FigmaApi, wanted: Wanted, signal: AbortSignal): Promise<Reading> {
  const { fileKey, ids, depth } = wanted;
  const limited = Number.isFinite(depth) ? { depth } : {};
  const about = { tier: 1, resource: fileKey } as const;
  const path = `/v1/files/${fileKey}`;
  const { data, bytes } =
    ids === null
      ? await client.ask<GetFileResponse>({ ...about, path, query: limited }, signal)
      : await client.ask<GetFileNodesResponse>(
          { ...about, path: `${path}/nodes`, query: { ids: ids.join(','), ...limited } },
          signal,
        );
  const parts = 'document' in data ? [data] : (ids ?? []).map(id => own(data.nodes, id)).filter(isPart);
  const roots = parts.map(({ document }) => document).filter(isNode);
  if (roots.length === 0 && ids === null) throw new UnreadableAnswer("Figma's answer has no document.");
  if (roots.length === 0) {
    throw new CannotDo(
      `The file has no node ${ids!.join(', ')}: it may have been deleted. Ask for the file with depth 2 to see what there is.`,
    );
  }
  const drawing: Drawing = {
    fileKey,
    name: textOf(data.name),
    version: textOf(data.version),
    lastModified: textOf(data.lastModified),
    whole: ids === null,
    levels: depth,
    outline: createOutline(roots, joinLegends(parts)),
    rawBytes: bytes,
    readMs: Date.now(),
  };
  drawings.keep(drawing);
  const { nodes } = drawing.outline;
  const found = nodes.flatMap(({ depth: level }, index) => (level === 0 ? [index] : []));
  const missing = (ids ?? []).filter(id => !isPart(own((data as GetFileNodesResponse).nodes, id)));
  return { drawing, roots: found, missing, source: 'read from Figma' };
}

interface Part extends Partial<Legend> {
  readonly document: unknown;
}

function own(nodes: unknown, id: string): unknown {
  return isNode(nodes) && Object.hasOwn(nodes, id) ? (nodes as Record<string, unknown>)[id] : undefined;
}

const isPart = (value: unknown): value is Part => isNode(value) && isNode((value as unknown as Part).document);

/** Each node of an answer brings the legend of its own subtree. */
function joinLegends(parts: readonly Partial<Legend>[]): Legend {
  const join = <Name extends keyof Legend>(name: Name) =>
    Object.assign(Object.create(null), ...parts.map(part => part[name] ?? {})) as Legend[Name];
  return { components: join('components'), componentSets: join('componentSets'), styles: join('styles') };
}
