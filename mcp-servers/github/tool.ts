import type { CallToolResult, ToolAnnotations } from '@modelcontextprotocol/server';
import type { Octokit } from '@octokit/rest';
import { z } from 'zod';
import type { githubToolsets } from '../../specs/type.ts';

export type Toolset = (typeof githubToolsets)[number];

export interface ToolCall {
  readonly api: Octokit;
  /** Aborts when the client goes away or GitHub takes too long; to be given to every request. */
  readonly signal: AbortSignal;
}

/** One MCP tool. `run` answers with the result, or throws what errors.ts explains. */
export interface Tool<Input extends z.ZodObject = z.ZodObject> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly toolset: Toolset;
  readonly input: Input;
  readonly annotations: ToolAnnotations;
  run(input: z.output<Input>, call: ToolCall): Promise<CallToolResult>;
}

/** Keeps a tool's input type for its own `run` and forgets it for everyone else. */
export function defineTool<Input extends z.ZodObject>(tool: Tool<Input>): Tool {
  return tool;
}

export const readOnly: ToolAnnotations = { readOnlyHint: true, idempotentHint: true, openWorldHint: true };

/** Arguments that many tools share, worded once. */
const pathSegment = z
  .string()
  .max(100)
  .regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]+$/, 'must be letters, digits, ".", "_" or "-"');
export const owner = pathSegment.describe('Repository owner: a user or an organization');
export const repo = pathSegment.describe('Repository name, without the owner');
export const page = z.int().min(1).max(10_000).default(1).describe('Page of the list, from 1');
export const perPage = z.int().min(1).max(100).default(30).describe('Results per page, up to 100');
export const offset = z
  .int()
  .min(0)
  .default(0)
  .describe('Where to go on in a long text: nextOffset of the last answer');
