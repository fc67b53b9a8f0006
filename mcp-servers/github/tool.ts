import type { Octokit } from '@octokit/rest';
import { z } from 'zod';
import type { githubToolsets } from '../../specs/types/github.ts';
import type { Tool, ToolCall } from '../tool/tool.ts';

export type Toolset = (typeof githubToolsets)[number];

export type GithubCall = ToolCall<Octokit>;
export interface GithubTool<Input extends z.ZodObject = z.ZodObject> extends Tool<Octokit, Input> {
  readonly toolset: Toolset;
}

/** Keeps a tool's input type for its own `run` and forgets it for everyone else. */
export function defineTool<Input extends z.ZodObject>(tool: GithubTool<Input>): GithubTool {
  return tool;
}

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
