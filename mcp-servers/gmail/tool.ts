import { z } from 'zod';
import type { Tool, ToolCall } from '../tool/tool.ts';
import type { GmailApi } from './client.ts';

export type GmailCall = ToolCall<GmailApi>;
export interface GmailTool<Input extends z.ZodObject = z.ZodObject> extends Tool<GmailApi, Input> {
  /** read: always there; change: without readOnly; leave: only where something may leave the mailbox. */
  readonly need: 'read' | 'change' | 'leave';
}

/** Keeps a tool's input type for its own `run` and forgets it for everyone else. */
export function defineTool<Input extends z.ZodObject>(tool: GmailTool<Input>): GmailTool {
  return tool;
}

/** Gmail's ids become parts of a URL's path. */
const id = z
  .string()
  .max(128)
  .regex(/^[A-Za-z0-9_-]+$/, 'must be an id as Gmail gives it: letters, digits, "_" and "-"');
export const threadId = id.describe('Id of a thread, from search_threads');
export const messageId = id.describe('Id of a message, from get_thread (not the Message-ID header)');
export const draftId = id.describe('Id of a draft, from list_drafts or create_draft');
export const pageToken = z
  .string()
  .min(1)
  .max(1000)
  .regex(/^[\w=+/.-]+$/, 'must be the nextPageToken of the last answer')
  .optional()
  .describe('nextPageToken of the last answer, with the same query');
export const query = z
  .string()
  .max(2000)
  .describe(
    "Gmail's search syntax, for example 'from:anna@example.com is:unread newer_than:7d has:attachment subject:(invoice)'",
  );
export const offset = z
  .int()
  .min(0)
  .default(0)
  .describe('Where to go on in a long text: nextOffset of the last answer');
