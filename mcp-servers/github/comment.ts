interface Comment {
  id: number;
  user: { login: string } | null;
  body?: string | undefined;
  html_url: string;
  created_at: string;
  updated_at: string;
}

/** A comment of an issue's or pull request's conversation, without what only programs need. */
export function showComment({ id, user, body, html_url, created_at, updated_at }: Comment): object {
  return { id, user: user?.login, body, html_url, created_at, updated_at };
}
