import type { Labels } from '../../specs/name.ts';
import type { Phase } from '../../specs/phase.ts';
import { phaseColumn, versionJoin, viewColumns, viewJoins } from './instance-view.ts';
import type { InstanceViewRow } from './instance-view.ts';
import type { Queryable } from './pool.ts';

/** What a list may be narrowed to; null = no matter. */
export interface InstanceFilter {
  readonly type: string | null;
  readonly phase: Phase | null;
  /** All of them must be there. */
  readonly labels: Labels;
  /** Part of the name. */
  readonly q: string | null;
}

// To choose rows by phase: as plain as can be, so that the planner may turn it round.
const phaseJoins = `
  left join statuses s on s.instance_uid = i.uid
  left join placements p on p.instance_uid = i.uid
  left join attempts a on a.instance_uid = i.uid and a.ended_at is null
  left join nodes n on n.name = coalesce(a.node, p.node)`;

/** The next instances by name after `after`. The page is chosen first, so that joins cost a page, not the table. */
export async function readInstancePage(
  db: Queryable,
  filter: InstanceFilter,
  after: string,
  limit: number,
): Promise<InstanceViewRow[]> {
  const conditions = ['i.name > $1'];
  const values: unknown[] = [after, limit];
  let name = 'instance-page';
  const where = (part: string, condition: (parameter: string) => string, value: unknown): void => {
    values.push(value);
    conditions.push(condition(`$${values.length}`));
    name += `-${part}`;
  };
  if (filter.type !== null) where('type', parameter => `i.type = ${parameter}`, filter.type);
  if (filter.q !== null) where('q', parameter => `strpos(i.name, ${parameter}) > 0`, filter.q);
  if (Object.keys(filter.labels).length > 0) {
    where('labels', parameter => `i.labels @> ${parameter}::jsonb`, JSON.stringify(filter.labels));
  }
  if (filter.phase !== null) where('phase', parameter => `${phaseColumn} = ${parameter}`, filter.phase);
  const { rows } = await db.query<InstanceViewRow>({
    // A plan that does not know the phase expects to find the page at once, and walks the table when it does not.
    ...(filter.phase === null ? { name } : {}),
    text: `select ${viewColumns}
     from (
       select i.* from instances i ${filter.phase === null ? '' : phaseJoins}
       where ${conditions.join(' and ')} order by i.name limit $2
     ) i
     ${versionJoin} ${viewJoins}
     order by i.name`,
    values,
  });
  return rows;
}

/** The same question for a row that is at hand. */
export function matchesFilter(row: InstanceViewRow, filter: InstanceFilter): boolean {
  return (
    (filter.type === null || row.type === filter.type) &&
    (filter.phase === null || row.phase === filter.phase) &&
    (filter.q === null || row.name.includes(filter.q)) &&
    Object.entries(filter.labels).every(([name, value]) => row.labels[name] === value)
  );
}
