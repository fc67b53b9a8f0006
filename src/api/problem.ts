import { MiniMcpError } from '../errors.ts';

/** Every kind of problem: its stable name, status and title. */
export const problemKinds = {
  InvalidRequest: [400, 'The request is not understood'],
  InvalidJson: [400, 'The body is not JSON'],
  Unauthenticated: [401, 'A token is needed'],
  MissingScope: [403, 'The token may not do this'],
  ForeignOrigin: [403, 'The page that asks is not trusted'],
  NotFound: [404, 'There is no such thing'],
  MethodNotAllowed: [405, 'The resource does not take this method'],
  NameTaken: [409, 'The name is taken'],
  BeingDeleted: [409, 'The instance is being deleted'],
  UidMismatch: [409, 'The name belongs to another instance now'],
  LeaseEnded: [409, 'The lease has ended'],
  LeaseHolds: [409, 'The lease has not ended'],
  Stopped: [409, 'The instance is stopped'],
  NotScheduled: [409, 'The instance has no address yet'],
  ApiKeyInUse: [409, 'The api key is in use'],
  TypeInUse: [409, 'The type is in use'],
  TypeMisfit: [409, 'Instances do not fit the type any more'],
  BuiltinType: [409, 'The type is built in'],
  HistoryGone: [410, 'The history does not reach back that far'],
  PreconditionFailed: [412, 'The desired state has changed'],
  BodyTooLarge: [413, 'The body is too large'],
  UnsupportedMediaType: [415, 'The body has the wrong type'],
  ForeignHost: [421, 'The host name is not served here'],
  InvalidBody: [422, 'The body is not accepted'],
  IdempotencyKeyReused: [422, 'The Idempotency-Key belongs to another request'],
  InternalError: [500, 'MiniMCP failed'],
  DatabaseUnavailable: [503, 'The database does not answer'],
} as const satisfies Record<string, readonly [status: number, title: string]>;
export type ProblemKind = keyof typeof problemKinds;

/** Where the input is wrong: a JSON pointer into the body, `?name` of a query parameter, or a header's name. */
export interface FieldError {
  readonly pointer: string;
  readonly message: string;
}

/** What a handler throws to answer with a problem document. `code` is the kind. */
export class ApiProblem extends MiniMcpError {
  declare readonly code: ProblemKind;
  readonly errors: readonly FieldError[];
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    kind: ProblemKind,
    detail: string,
    more: { errors?: readonly FieldError[]; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(kind, detail);
    this.errors = more.errors ?? [];
    this.headers = more.headers ?? {};
  }
}

/** The 422 for these fields. */
export function invalidBody(errors: readonly FieldError[]): ApiProblem {
  return new ApiProblem('InvalidBody', sentence(errors), { errors });
}

/** One line that says what is wrong and what is accepted, for those who read no list. */
export function sentence(errors: readonly FieldError[]): string {
  return errors
    .slice(0, 5)
    .map(error => `${error.pointer === '' ? 'the body' : error.pointer} ${error.message}`)
    .join('; ');
}

/** The kind as a URI that stays the same. */
export function problemType(kind: ProblemKind): string {
  return `urn:minimcp:problem:${kind.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase()}`;
}
