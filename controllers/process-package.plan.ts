import { fresh } from './process-reasons.plan.ts';
import type { Action, ConditionDraft, EventDraft, World } from './process-world.ts';

type Said = World['status']['conditions'][number];

/** The reason of a condition, by which its end is known again. */
export const notInstalled = 'NotInstalled';

/** A package is there that this instance was said to wait for: what to tell of it. Only its own name counts. */
export function awaited({ status, program }: World): EventDraft | null {
  const { installation } = program;
  if (program.state !== 'ready' || installation === undefined) return null;
  const name = `${installation.package}@${installation.version}`;
  const said = status.conditions.some(
    ({ type, reason, message }) =>
      (type === 'Installing' || (type === 'Misconfigured' && reason === notInstalled)) &&
      message.split(/[\s:;,]+/).includes(name),
  );
  return said ? { reason: 'Installed', message: `Installed ${name}`, data: { ...installation } } : null;
}

/** What is said beside Ready while the new program of a type cannot take over yet. */
export function isAboutRoll({ type }: Said): boolean {
  return type === 'Installing' || type === 'Misconfigured';
}

/** It serves: says beside Ready, once for each reason, what the new program of its type waits for, or that it waits no more. */
export function planRoll(world: World, waits: boolean): Action | null {
  const { status, program } = world;
  if (status.phase !== 'Ready' || program.state === 'checking') return null;
  const said = status.conditions.filter(isAboutRoll);
  if (!waits) return said.length === 0 ? null : say(world, [], null);
  const message = `Goes on as it was before its type changed: ${program.message}`;
  const condition: ConditionDraft =
    program.state === 'installing'
      ? { type: 'Installing', status: 'True', reason: 'TypeChanged', message }
      : {
          type: 'Misconfigured',
          status: 'True',
          reason: program.notInstalled === true ? notInstalled : 'Misconfigured',
          message,
        };
  if (said.some(each => each.type === condition.type && each.message === message)) return null;
  return say(world, [condition], { reason: program.state === 'installing' ? 'Installing' : 'Misconfigured', message });
}

/** It is about to make way for the new program of its type: that this is there is told first. */
export function planInstalled(world: World): Action | null {
  const { phase } = world.status;
  const event = phase === 'Ready' || phase === 'Unhealthy' ? awaited(world) : null;
  return event === null ? null : say(world, [], event);
}

/** What was told of a package that is being installed: it still holds while a process makes way. */
export function stillInstalling({ status, program }: World): readonly ConditionDraft[] {
  return program.state === 'installing' ? status.conditions.filter(({ type }) => type === 'Installing') : [];
}

function say(world: World, conditions: readonly ConditionDraft[], also: EventDraft | null): Action {
  const { status } = world;
  return {
    kind: 'mark',
    change: {
      to: status.phase,
      event: null,
      ...(also === null ? {} : { also }),
      conditions: [...status.conditions.filter(each => !isAboutRoll(each)), ...conditions],
      backoffStep: fresh(world) ? 0 : status.backoffStep,
    },
  };
}
