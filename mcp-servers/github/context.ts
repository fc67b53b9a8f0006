import { z } from 'zod';
import { showObject } from '../tool/result.ts';
import { defineTool } from './tool.ts';
import { reads } from '../tool/tool.ts';
import type { GithubTool } from './tool.ts';

const getMe = defineTool({
  name: 'get_me',
  title: 'Get my user profile',
  description:
    "The profile of the user whose token this server uses. Ask for it first when a request is about 'me' or 'my'.",
  toolset: 'context',
  input: z.object({}),
  annotations: reads,
  async run(_input, { api, signal }) {
    const { data: me } = await api.rest.users.getAuthenticated({ request: { signal } });
    return showObject({
      login: me.login,
      id: me.id,
      profile_url: me.html_url,
      name: me.name,
      company: me.company,
      blog: me.blog,
      location: me.location,
      email: me.email,
      bio: me.bio,
      public_repos: me.public_repos,
      total_private_repos: me.total_private_repos,
      followers: me.followers,
      following: me.following,
      created_at: me.created_at,
      updated_at: me.updated_at,
    });
  },
});

export const contextTools: readonly GithubTool[] = [getMe];
