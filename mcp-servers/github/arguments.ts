import { z } from 'zod';

/** Arguments that many tools share, worded once. */
const nameSegment = z
  .string()
  .max(100)
  .regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]+$/, 'must be letters, digits, ".", "_" or "-"');
export const owner = nameSegment.describe('Repository owner: a user or an organization');
export const repo = nameSegment.describe('Repository name, without the owner');
export const userName = z
  .string()
  .max(100)
  .regex(/^[A-Za-z0-9_-]+(\[bot\])?$/, 'must be the name of a user');

export const page = z.int().min(1).max(10_000).default(1).describe('Page of the list, from 1');
export const perPage = z.int().min(1).max(100).default(30).describe('Results per page, up to 100');
export const offset = z
  .int()
  .min(0)
  .default(0)
  .describe('Where to go on in a long text: nextOffset of the last answer');

/** Characters that no path or ref has, or that another server on the way would take for a slash or a dot. */
const unsafe = /[\p{Cc}\p{Cs}]|%(?:2e|2f|5c|00)/iu;

export const filePath = z
  .string()
  .max(4096)
  .refine(
    path => !unsafe.test(path) && !path.split('/').some(segment => segment === '.' || segment === '..'),
    'must be a plain path: no segment "." or "..", nothing percent-encoded, no control characters',
  );

/** As `git check-ref-format` has it. */
function isRef(ref: string): boolean {
  if (unsafe.test(ref) || /[ ~^:?*[\\]|\.\.|@\{|^@$/.test(ref)) return false;
  return ref.split('/').every(part => part !== '' && !/^\.|\.$|\.lock$/.test(part));
}

export const gitRef = z.string().min(1).max(255).refine(isRef, 'must be the name of a branch, a tag or a commit');
export const branch = z
  .string()
  .min(1)
  .max(244)
  .refine(name => isRef(name) && !/^(?:-|refs\/)/.test(name), 'must be the name of a branch, without refs/heads/');
/** A branch, perhaps of another fork. */
export const headBranch = z
  .string()
  .min(1)
  .max(344)
  .refine(
    head => branch.safeParse(head.replace(/^[A-Za-z0-9_-]{1,100}:/, '')).success,
    'must be the name of a branch, or user:branch',
  );
export const commitSha = z
  .string()
  .max(64)
  .regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i, 'must be a whole SHA, of 40 digits');

export const bodyText = z.string().max(65_536);
export const labelNames = z.array(z.string().min(1).max(100)).max(100);
export const issueNumber = z.int().min(1).max(2_147_483_647).describe('Number of the issue');
export const pullNumber = z.int().min(1).max(2_147_483_647).describe('Number of the pull request');
export const time = z.iso.datetime({ offset: true });

/** The search syntax, and at most as much of it as GitHub takes. */
export const searchQuery = z.string().min(1).max(256);

export const commitMessage = z.string().min(1).max(65_536).describe('Message of the commit');
