import type { components } from '@octokit/openapi-types';

type Schemas = components['schemas'];
export type SimpleUser = Schemas['simple-user'];
export type PrivateUser = Schemas['private-user'];
export type FoundUser = Schemas['user-search-result-item'];
export type Repository = Schemas['repository'];
export type FoundRepository = Schemas['repo-search-result-item'];
export type Issue = Schemas['issue'];
export type FoundIssue = Schemas['issue-search-result-item'];
export type IssueComment = Schemas['issue-comment'];
export type Label = Schemas['label'];
export type PullRequest = Schemas['pull-request'];
export type SimplePullRequest = Schemas['pull-request-simple'];
export type MergeResult = Schemas['pull-request-merge-result'];
export type DiffEntry = Schemas['diff-entry'];
export type Review = Schemas['pull-request-review'];
export type ReviewComment = Schemas['pull-request-review-comment'];
export type CombinedStatus = Schemas['combined-commit-status'];
export type ContentFile = Schemas['content-file'];
export type ContentDirectory = Schemas['content-directory'];
export type FileCommit = Schemas['file-commit'];
export type FoundCode = Schemas['code-search-result-item'];
export type Commit = Schemas['commit'];
export type GitCommit = Schemas['git-commit'];
export type GitRef = Schemas['git-ref'];
export type GitTree = Schemas['git-tree'];
export type Branch = Schemas['short-branch'];
export type Workflow = Schemas['workflow'];
export type WorkflowRun = Schemas['workflow-run'];
export type Job = Schemas['job'];
export type Artifact = Schemas['artifact'];
export type BasicError = Schemas['basic-error'];
export type ValidationError = Schemas['validation-error'];

/** A URL for each of these fields, so that a whole schema can be filled without a hundred lines. */
export function urls<Name extends string>(base: string, names: readonly Name[]): Record<Name, string> {
  return Object.fromEntries(names.map(name => [name, `${base}/${name}`])) as Record<Name, string>;
}

export const writtenAt = '2026-11-01T12:00:00Z';
