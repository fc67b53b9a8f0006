import { inputName } from './input.ts';
import type { TypeInput } from './input.ts';
import type { TypeArgument, TypeManifest } from './manifest.ts';
import type { ServerArgument, ServerInput, ServerVariable } from './server-json-input.ts';
import { escapeTemplate } from './template.ts';
import { typeVariable } from './type-variable.ts';

export type Refuse = (path: readonly PropertyKey[], message: string) => void;

export type Translation = Pick<TypeManifest, 'args' | 'env' | 'inputs'>;

export interface Translator {
  readonly result: Translation;
  addArgument(arg: ServerArgument, path: readonly PropertyKey[]): void;
  addVariable(variable: ServerVariable, path: readonly PropertyKey[]): void;
}

const readable =
  'is a secret in an argument, which other processes can read; only an environment variable can take a secret';

/** Gathers what a package of a server.json asks for as args, env and inputs of a manifest. */
export function createTranslation(refuse: Refuse): Translator {
  const args: TypeArgument[] = [];
  const env: Record<string, string> = {};
  const inputs: Record<string, TypeInput> = {};

  function addWords(words: string[]): void {
    args.push(words.length === 1 ? words[0]! : words);
  }

  /** The same name with the same meaning is one input. */
  function addInput(name: string, input: TypeInput, path: readonly PropertyKey[]): void {
    const checked = inputName.safeParse(name);
    if (!checked.success) {
      refuse(path, `has a name that cannot be asked for: it ${checked.error.issues[0]!.message}`);
    } else if (!Object.hasOwn(inputs, name)) inputs[name] = input;
    else if (JSON.stringify(inputs[name]) !== JSON.stringify(input)) {
      refuse(path, `asks for "${name}", which is asked for elsewhere in another way; give one of them another name`);
    }
  }

  /** A preset value, with its variables as inputs. What is no variable stays as it is, as the schema has it. */
  function presetTemplate(entry: ServerVariable | ServerArgument, value: string, path: readonly PropertyKey[]): string {
    let seen = 0;
    let template = '';
    for (const match of value.matchAll(/\{([^{}]+)\}/g)) {
      const [whole, name = ''] = match;
      if (!Object.hasOwn(entry.variables, name)) continue;
      const variable = entry.variables[name]!;
      const secret = variable.isSecret || entry.isSecret;
      const where = [...path, 'variables', name];
      template += escapeTemplate(value.slice(seen, match.index));
      seen = match.index + whole.length;
      if (variable.value !== undefined) {
        if (variable.isSecret) refuse([...where, 'value'], 'must be left out: a secret is no part of the document');
        template += escapeTemplate(variable.value);
        continue;
      }
      if (secret && 'type' in entry) refuse(where, readable);
      addInput(name, toInput({ ...variable, isSecret: secret }, false, where, refuse), where);
      template += `{${name}}`;
    }
    if (seen === 0 && entry.isSecret) {
      refuse([...path, 'value'], 'must be left out: a secret is no part of the document');
    }
    return template + escapeTemplate(value.slice(seen));
  }

  return {
    result: { args, env, inputs },
    addArgument(arg, path) {
      if (arg.isSecret) {
        refuse([...path, 'isSecret'], readable);
        return;
      }
      const flag = arg.type === 'named' ? [escapeTemplate(arg.name)] : [];
      if (arg.value !== undefined) {
        if (arg.type === 'named' && arg.format === 'boolean') {
          if (arg.value !== 'false') addWords(flag);
        } else addWords([...flag, presetTemplate(arg, arg.value, path)]);
        return;
      }
      if (arg.type === 'named' && isBare(arg)) {
        addWords(flag);
        return;
      }
      if (arg.type === 'positional' && arg.valueHint === undefined) {
        refuse(path, 'must have a value, or a valueHint by which it is asked for');
        return;
      }
      const name = nameOf(arg);
      addInput(name, toInput(arg, arg.isRepeated, path, refuse), path);
      if (arg.type === 'named' && arg.format === 'boolean' && !arg.isRepeated) args.push({ if: name, args: flag });
      else addWords([...flag, `{${name}}`]);
    },
    addVariable(variable, path) {
      const checked = typeVariable.safeParse(variable.name);
      if (!checked.success) {
        refuse([...path, 'name'], checked.error.issues[0]!.message);
        return;
      }
      if (Object.hasOwn(env, variable.name)) {
        refuse([...path, 'name'], 'is there twice');
        return;
      }
      if (variable.value !== undefined) {
        env[variable.name] = presetTemplate(variable, variable.value, path);
        return;
      }
      addInput(variable.name, toInput(variable, false, path, refuse), path);
      env[variable.name] = `{${variable.name}}`;
    },
  };
}

/** A flag that stands for itself: nothing about it says that it takes a value. */
function isBare(arg: ServerInput): boolean {
  const asks = [arg.description, arg.default, arg.placeholder, arg.choices, arg.format];
  return asks.every(field => field === undefined) && !arg.isRequired;
}

function nameOf(arg: ServerArgument): string {
  const name = arg.type === 'named' ? arg.name.replace(/^-+/, '') : arg.valueHint!;
  return name.replaceAll(/[^A-Za-z0-9_.-]/g, '_');
}

function toInput(entry: ServerInput, repeated: boolean, path: readonly PropertyKey[], refuse: Refuse): TypeInput {
  const format = entry.format ?? 'string';
  const convert = (text: string, field: string): string | number | boolean => {
    if (format === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
    if (format === 'number' && text.trim() !== '' && Number.isFinite(Number(text))) return Number(text);
    if (format === 'number' || format === 'boolean') refuse([...path, field], `must be a ${format} as text`);
    return text;
  };
  const choices = entry.choices?.map(choice => convert(choice, 'choices') as string | number);
  const preset = entry.default === undefined ? undefined : convert(entry.default, 'default');
  if (entry.isSecret && preset !== undefined) {
    refuse(
      [...path, 'default'],
      'must be left out: a secret is no part of the document; use placeholder for an example',
    );
  }
  if (choices !== undefined && preset !== undefined && !choices.includes(preset as string | number)) {
    refuse([...path, 'default'], 'must be one of choices');
  }
  return {
    description: (entry.description ?? '').slice(0, 2_000),
    required: entry.isRequired,
    secret: entry.isSecret,
    format,
    repeated,
    ...(choices === undefined || choices.length === 0 ? {} : { choices }),
    ...(preset === undefined ? {} : { default: repeated ? [preset] : preset }),
    ...(entry.placeholder === undefined ? {} : { placeholder: entry.placeholder.slice(0, 2_000) }),
  };
}
