import type { CallToolResult, ToolAnnotations } from '@modelcontextprotocol/server';
import type { z } from 'zod';

export interface ToolCall<Api> {
  /** What the tool asks the vendor through. */
  readonly api: Api;
  /** Aborts when the client goes away or the vendor takes too long; to be given to every request. */
  readonly signal: AbortSignal;
}

/**
 * One MCP tool. `run` answers with the result, or throws what the type's errors.ts explains. Arguments that
 * `input` does not name are refused. With `output`, results carry structuredContent of that shape.
 */
export interface Tool<Api, Input extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly input: Input;
  readonly output?: z.ZodObject;
  readonly annotations: ToolAnnotations;
  run(input: z.output<Input>, call: ToolCall<Api>): Promise<CallToolResult>;
}

/** Changes nothing. */
export const reads: ToolAnnotations = { readOnlyHint: true, idempotentHint: true, openWorldHint: true };
/** Adds something; again means twice. */
export const adds: ToolAnnotations = {
  readOnlyHint: false,
  destructiveHint: false,
  idempotentHint: false,
  openWorldHint: true,
};
/** Replaces something or takes it away; again changes nothing more. */
export const replaces: ToolAnnotations = {
  readOnlyHint: false,
  destructiveHint: true,
  idempotentHint: true,
  openWorldHint: true,
};

export function changesNothing({ annotations }: Pick<Tool<unknown>, 'annotations'>): boolean {
  return annotations.readOnlyHint === true;
}

/** For the instructions of an instance that offers no tool that changes something. */
export const readOnlyNote =
  ' This instance is read-only (spec.config.readOnly in MiniMCP): tools that change something are left out.';
