import type { GetFileMetaResponse } from '@figma/rest-api-spec';
import { z } from 'zod';
import { showStructured } from '../tool/result.ts';
import { reads } from '../tool/tool.ts';
import { UnreadableAnswer } from './errors.ts';
import { file, readFileReference } from './reference.ts';
import { defineTool } from './tool.ts';
import type { FigmaTool } from './tool.ts';

const output = z.object({
  fileKey: z.string(),
  name: z.string(),
  version: z.string().nullable(),
  lastTouchedAt: z.string(),
  lastTouchedBy: z.string().nullable(),
  creator: z.string().nullable(),
  editorType: z.string(),
  folder: z.string().nullable(),
  role: z.string().nullable().describe("What the token's user may do"),
  linkAccess: z.string().nullable(),
  url: z.string().nullable(),
  thumbnailUrl: z.string().nullable(),
});

const getFileMetadata = defineTool({
  name: 'get_file_metadata',
  title: 'Get metadata of a file',
  description:
    "A file's name, version, when and by whom it was last changed, its kind and access. Cheap: use it to see whether " +
    'a file has changed.',
  input: z.object({ fileKey: file }),
  output,
  annotations: reads,
  async run(input, { api, signal }) {
    const { fileKey } = readFileReference(input.fileKey);
    const request = { tier: 3, resource: fileKey, path: `/v1/files/${fileKey}/meta` } as const;
    const { data } = await api.client.ask<GetFileMetaResponse>(request, signal);
    const { file: about } = data as Partial<GetFileMetaResponse>;
    if (typeof about?.name !== 'string') throw new UnreadableAnswer("Figma's answer has no file.");
    return showStructured({
      fileKey,
      name: about.name,
      version: about.version ?? null,
      lastTouchedAt: about.last_touched_at,
      lastTouchedBy: about.last_touched_by?.handle ?? null,
      creator: about.creator?.handle ?? null,
      editorType: about.editorType,
      folder: about.folder_name ?? null,
      role: about.role ?? null,
      linkAccess: about.link_access ?? null,
      url: about.url ?? null,
      thumbnailUrl: about.thumbnail_url ?? null,
    } satisfies z.input<typeof output>);
  },
});

export const metadataTools: readonly FigmaTool[] = [getFileMetadata];
