import type {
  GetLocalVariablesResponse,
  LocalVariable,
  PublishedComponent,
  PublishedStyle,
  StyleType,
  User,
} from '@figma/rest-api-spec';

export const writtenAt = '2026-11-01T12:00:00Z';
export const ada: User = { id: '1', handle: 'Ada', img_url: 'https://figma.test/ada.png' };

const published = (fileKey: string, kind: string, index: number) => ({
  key: `key-of-${kind}-${index}`,
  file_key: fileKey,
  node_id: `20:${index}`,
  name: `${kind} ${index}`,
  description: index === 1 ? 'x'.repeat(800) : '',
  created_at: writtenAt,
  updated_at: writtenAt,
  user: ada,
});

export const buildComponents = (fileKey: string, count: number): PublishedComponent[] =>
  Array.from({ length: count }, (_, index) => ({
    ...published(fileKey, 'Component', index + 1),
    containing_frame: { nodeId: '20:0', name: 'Buttons', pageId: '0:2', pageName: 'Library' },
  }));

const types: readonly StyleType[] = ['FILL', 'TEXT', 'EFFECT', 'GRID'];

export const buildStyles = (fileKey: string, count: number): PublishedStyle[] =>
  Array.from({ length: count }, (_, index) => ({
    ...published(fileKey, 'Style', index + 1),
    style_type: types[index % types.length]!,
    sort_position: String(index),
  }));

export function buildVariables(): GetLocalVariablesResponse['meta'] {
  const variable = (id: string, name: string, given: Pick<LocalVariable, 'resolvedType' | 'valuesByMode'>) => ({
    id,
    name,
    key: `key-of-${name}`,
    variableCollectionId: given.resolvedType === 'COLOR' ? 'VariableCollectionId:3:0' : 'VariableCollectionId:4:0',
    remote: false,
    description: '',
    hiddenFromPublishing: false,
    scopes: ['ALL_SCOPES' as const],
    codeSyntax: { WEB: `--${name.replaceAll('/', '-')}` },
    ...given,
  });
  const variables: LocalVariable[] = [
    variable('VariableID:3:1', 'color/brand', {
      resolvedType: 'COLOR',
      valuesByMode: { '3:0': { r: 0, g: 1 / 3, b: 1, a: 1 }, '3:1': { r: 0.5, g: 0.5, b: 1, a: 0.5 } },
    }),
    variable('VariableID:3:3', 'color/action', {
      resolvedType: 'COLOR',
      valuesByMode: {
        '3:0': { type: 'VARIABLE_ALIAS', id: 'VariableID:3:1' },
        '3:1': { type: 'VARIABLE_ALIAS', id: 'VariableID:99:1' },
      },
    }),
    variable('VariableID:3:2', 'space/m', { resolvedType: 'FLOAT', valuesByMode: { '4:0': 16 } }),
  ];
  const collection = { key: 'k', remote: false, hiddenFromPublishing: false };
  return {
    variables: Object.fromEntries(variables.map(each => [each.id, each])),
    variableCollections: {
      'VariableCollectionId:3:0': {
        ...collection,
        id: 'VariableCollectionId:3:0',
        name: 'Colors',
        modes: [
          { modeId: '3:0', name: 'Light' },
          { modeId: '3:1', name: 'Dark' },
        ],
        defaultModeId: '3:0',
        variableIds: ['VariableID:3:1', 'VariableID:3:3'],
      },
      'VariableCollectionId:4:0': {
        ...collection,
        id: 'VariableCollectionId:4:0',
        name: 'Space',
        modes: [{ modeId: '4:0', name: 'Default' }],
        defaultModeId: '4:0',
        variableIds: ['VariableID:3:2'],
      },
    },
  };
}
