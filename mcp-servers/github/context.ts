import { z } from 'zod';
import { showStructured } from '../tool/result.ts';
import { reads } from '../tool/tool.ts';
import { defineTool } from './tool.ts';
import type { GithubTool } from './tool.ts';

const getMe = defineTool({
  name: 'get_me',
  title: 'Get my user profile',
  description:
    "The profile of the user whose token this server uses. Ask for it first when a request is about 'me' or 'my'.",
  toolset: 'context',
  input: z.object({}),
  output: z.object({
    login: z.string(),
    id: z.number(),
    profile_url: z.string(),
    name: z.string().nullish(),
    company: z.string().nullish(),
    blog: z.string().nullish(),
    location: z.string().nullish(),
    email: z.string().nullish(),
    bio: z.string().nullish(),
    public_repos: z.number().optional(),
    total_private_repos: z.number().optional(),
    followers: z.number().optional(),
    following: z.number().optional(),
    created_at: z.string().optional(),
    updated_at: z.string().optional(),
  }),
  annotations: reads,
  async run(_input, { api }) {
    const { data: me } = await api.rest.users.getAuthenticated();
    return showStructured({
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
