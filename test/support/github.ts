import type { GithubFault } from '../fakes/github/fault.ts';
import { startFakeVendor } from './vendor.ts';
import type { FakeVendor } from './vendor.ts';

export type FakeGithub = FakeVendor<GithubFault>;

export const startFakeGithub = (): Promise<FakeGithub> => startFakeVendor('github');
