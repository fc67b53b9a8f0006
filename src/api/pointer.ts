import { z } from 'zod';
import type { FieldError } from './problem.ts';

type Issue = z.core.$ZodIssue;
type RawIssue = z.core.$ZodRawIssue;

/** Segments as an RFC 6901 pointer. */
export function jsonPointer(path: readonly PropertyKey[]): string {
  return path.map(segment => `/${String(segment).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** Parses with messages that say what is accepted and never repeat a value, which may be a secret. */
export function parse<T>(
  schema: z.ZodType<T>,
  data: unknown,
  prefix: readonly PropertyKey[] = [],
): { data: T; errors: null } | { data: null; errors: FieldError[] } {
  const result = schema.safeParse(data, { error: describe });
  if (result.success) return { data: result.data, errors: null };
  return { data: null, errors: result.error.issues.flatMap(issue => fieldErrors(issue, prefix)) };
}

function fieldErrors(issue: Issue, prefix: readonly PropertyKey[]): FieldError[] {
  const path = [...prefix, ...issue.path];
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map(key => ({ pointer: jsonPointer([...path, key]), message: issue.message }));
  }
  if (issue.code === 'invalid_union') {
    // The branch that came closest says best what is missing: one for another kind of value says nothing.
    const [closest] = issue.errors.toSorted(
      (a, b) => Number(isOtherKind(a)) - Number(isOtherKind(b)) || a.length - b.length,
    );
    if (closest !== undefined) return closest.flatMap(inner => fieldErrors(inner, path));
  }
  if (issue.code === 'invalid_key' && issue.issues[0] !== undefined) {
    return [{ pointer: jsonPointer(path), message: `as a name ${issue.issues[0].message}` }];
  }
  return [{ pointer: jsonPointer(path), message: issue.message }];
}

function isOtherKind(branch: readonly Issue[]): boolean {
  return branch.some(issue => issue.code === 'invalid_type' && issue.path.length === 0);
}

/** Only for issues whose schema brings no message of its own. */
function describe(issue: RawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined
        ? `is required: ${kindName(issue.expected)}`
        : `must be ${kindName(issue.expected)}, not ${inputName(issue.input)}`;
    case 'unrecognized_keys':
      return unknownField(issue.inst);
    case 'invalid_value':
      return issue.values.length === 1
        ? `must be ${JSON.stringify(issue.values[0])}`
        : `must be one of ${issue.values.map(value => JSON.stringify(value)).join(', ')}`;
    case 'too_small':
      return issue.origin === 'string' && issue.minimum === 1
        ? 'must not be empty'
        : `must ${amount(issue.origin, 'at least', issue.minimum)}`;
    case 'too_big':
      return `must ${amount(issue.origin, 'at most', issue.maximum)}`;
    case 'invalid_format':
      return issue.format === 'regex' ? undefined : `must be a valid ${issue.format}`;
    case 'custom':
    case 'not_multiple_of':
    case 'invalid_union':
    case 'invalid_key':
    case 'invalid_element':
    default:
      return undefined;
  }
}

function unknownField(schema: unknown): string {
  const known = schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
  return known.length === 0 ? 'is not known here' : `is not known here; known are ${known.join(', ')}`;
}

function amount(origin: string, bound: string, limit: number | bigint): string {
  if (origin === 'string') return `have ${bound} ${limit} characters`;
  if (origin === 'array' || origin === 'set') return `have ${bound} ${limit} items`;
  return `be ${bound} ${limit}`;
}

function kindName(expected: string): string {
  const names: Record<string, string> = {
    object: 'an object',
    record: 'an object',
    array: 'an array',
    int: 'a whole number',
    null: 'null',
  };
  return names[expected] ?? `a ${expected}`;
}

function inputName(input: unknown): string {
  if (input === null) return 'null';
  if (Array.isArray(input)) return 'an array';
  return typeof input === 'object' ? 'an object' : `a ${typeof input}`;
}
