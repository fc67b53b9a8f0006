import type { Condition } from '../specs/phase.ts';
import type { ConditionDraft } from './process-world.ts';

/** The new conditions; one whose status stays keeps the time of its last transition. */
export function mergeConditions(old: readonly Condition[], drafts: readonly ConditionDraft[], now: Date): Condition[] {
  return drafts.map(draft => {
    const before = old.find(condition => condition.type === draft.type && condition.status === draft.status);
    return { ...draft, lastTransitionAt: before?.lastTransitionAt ?? now.toISOString() };
  });
}
