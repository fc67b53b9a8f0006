import { z } from 'zod';

interface Comment {
  id: number;
  user: { login: string } | null;
  body?: string | undefined;
  html_url: string;
  created_at: string;
  updated_at: string;
}

/** What showComment shows. */
export const commentOutput = z.object({
  id: z.number(),
  user: z.string().nullish(),
  body: z.string().optional(),
  html_url: z.string(),
  created_at: z.string(),
  updated_at: z.string(),
});

/** A comment of an issue's or pull request's conversation, without what only programs need. */
export function showComment({ id, user, body, html_url, created_at, updated_at }: Comment) {
  return { id, user: user?.login, body, html_url, created_at, updated_at };
}
