import { urls, writtenAt } from './schema.ts';
import type { PrivateUser, SimpleUser } from './schema.ts';

const userUrls = [
  'url',
  'html_url',
  'avatar_url',
  'followers_url',
  'following_url',
  'gists_url',
  'starred_url',
  'subscriptions_url',
  'organizations_url',
  'repos_url',
  'events_url',
  'received_events_url',
] as const;

export function buildUser(login: string, id: number): SimpleUser {
  return {
    login,
    id,
    node_id: `U_${id}`,
    gravatar_id: '',
    type: 'User',
    site_admin: false,
    ...urls(`https://github.test/${login}`, userUrls),
  };
}

export function buildMe(user: SimpleUser): PrivateUser {
  return {
    ...user,
    name: 'Mona Test',
    company: null,
    blog: null,
    location: 'Testville',
    email: null,
    hireable: null,
    bio: 'Only exists in memory',
    public_repos: 2,
    public_gists: 0,
    followers: 3,
    following: 4,
    created_at: writtenAt,
    updated_at: writtenAt,
    private_gists: 0,
    total_private_repos: 1,
    owned_private_repos: 1,
    disk_usage: 1,
    collaborators: 0,
    two_factor_authentication: true,
  };
}
