import type { components } from '@octokit/openapi-types';

type Schemas = components['schemas'];
export type SimpleUser = Schemas['simple-user'];
export type PrivateUser = Schemas['private-user'];
export type Repository = Schemas['repository'];
export type FoundRepository = Schemas['repo-search-result-item'];
export type Issue = Schemas['issue'];
export type IssueComment = Schemas['issue-comment'];
export type Label = Schemas['label'];
export type PullRequest = Schemas['pull-request'];
export type SimplePullRequest = Schemas['pull-request-simple'];
export type DiffEntry = Schemas['diff-entry'];
export type Review = Schemas['pull-request-review'];
export type ReviewComment = Schemas['pull-request-review-comment'];
export type CombinedStatus = Schemas['combined-commit-status'];
export type ContentFile = Schemas['content-file'];
export type ContentDirectory = Schemas['content-directory'];
export type BasicError = Schemas['basic-error'];
export type ValidationError = Schemas['validation-error'];

/** A URL for each of these fields, so that a whole schema can be filled without a hundred lines. */
export function urls<Name extends string>(base: string, names: readonly Name[]): Record<Name, string> {
  return Object.fromEntries(names.map(name => [name, `${base}/${name}`])) as Record<Name, string>;
}

export const writtenAt = '2026-11-01T12:00:00Z';
