import { z } from 'zod';
import type { githubToolsets } from '../../specs/types/github.ts';
import type { Tool } from '../tool/tool.ts';
import type { GithubApi } from './client.ts';

export type Toolset = (typeof githubToolsets)[number];

export interface GithubTool<Input extends z.ZodObject = z.ZodObject> extends Tool<GithubApi, Input> {
  readonly toolset: Toolset;
}

/** Keeps a tool's input type for its own `run` and forgets it for everyone else. */
export function defineTool<Input extends z.ZodObject>(tool: GithubTool<Input>): GithubTool {
  return tool;
}
