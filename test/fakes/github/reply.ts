import type { BasicError, ValidationError } from './schema.ts';

export interface Call {
  readonly method: string;
  /** Percent-decoded. */
  readonly path: string;
  /** As it came. */
  readonly rawPath: string;
  readonly query: URLSearchParams;
  readonly accept: string;
  readonly body: Record<string, unknown>;
}

export interface Reply {
  readonly status: number;
  readonly body: unknown;
  readonly headers?: Record<string, string>;
}

export const ok = (body: unknown): Reply => ({ status: 200, body });
export const created = (body: unknown): Reply => ({ status: 201, body });

export function failed(
  status: number,
  message: string,
  headers: Record<string, string> = {},
  errors?: string[],
): Reply {
  const error: BasicError = { message, documentation_url: 'https://docs.github.test', status: String(status) };
  const body = errors === undefined ? error : { ...error, errors };
  return { status, body, headers };
}

export const notFound = (): Reply => failed(404, 'Not Found');

export function invalid(field: string, code: string): Reply {
  const body: ValidationError = {
    message: 'Validation Failed',
    documentation_url: 'https://docs.github.test',
    errors: [{ resource: 'Issue', field, code }],
  };
  return { status: 422, body };
}

/** One page of a list, with the Link header by which a client finds the next. */
export function paged<T>(
  all: readonly T[],
  { path, query }: Call,
  wrap: (items: T[]) => unknown = items => items,
): Reply {
  const page = Number(query.get('page') ?? 1);
  const size = Number(query.get('per_page') ?? 30);
  const last = Math.max(1, Math.ceil(all.length / size));
  const link = (to: number, rel: string) => {
    const target = new URLSearchParams(query);
    target.set('page', String(to));
    return `<https://api.github.test${path}?${target.toString()}>; rel="${rel}"`;
  };
  const links = [
    ...(page > 1 ? [link(page - 1, 'prev'), link(1, 'first')] : []),
    ...(page < last ? [link(page + 1, 'next'), link(last, 'last')] : []),
  ];
  return {
    status: 200,
    body: wrap(all.slice((page - 1) * size, page * size)),
    ...(links.length > 0 && { headers: { link: links.join(', ') } }),
  };
}
