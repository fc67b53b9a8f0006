import fc from 'fast-check';
import { expect, test } from 'vitest';
import { planPlacement } from '../../controllers/scheduler.plan.ts';
import type { NodePorts, PlacementRow } from '../../src/db/placements.ts';

const port = fc.integer({ min: 3001, max: 3008 });
const ports = fc.uniqueArray(port, { maxLength: 8 });

const node = fc
  .record({ name: fc.constantFrom('a', 'b'), placed: ports, cooling: ports })
  .map(({ name, placed, cooling }): NodePorts => ({
    name,
    instance_host: '127.0.0.1',
    port_from: 3001,
    port_to: 3008,
    instances: placed.length,
    placed,
    cooling,
  }));

const row = fc
  .record({
    wanted: fc.boolean(),
    phase: fc.constantFrom('Pending' as const, 'Ready' as const, 'Stopped' as const, 'Expired' as const),
    live: fc.boolean(),
    place: fc.option(fc.record({ node: fc.constantFrom('a', 'b'), port }), { nil: null }),
    conflicted: fc.boolean(),
    last: fc.option(fc.record({ node: fc.constantFrom('a', 'b'), port }), { nil: null }),
  })
  .map(({ place, last, conflicted, ...rest }): PlacementRow => ({
    uid: '00000000-0000-4000-8000-000000000000',
    name: 'x',
    ...rest,
    node: place?.node ?? null,
    port: place?.port ?? null,
    conflicted: place !== null && conflicted,
    last_node: place === null ? (last?.node ?? null) : null,
    last_port: place === null ? (last?.port ?? null) : null,
  }));

/** What the scheduler makes of the row when it carries the plan out. */
function apply(before: PlacementRow, nodes: readonly NodePorts[]): { row: PlacementRow; nodes: NodePorts[] } {
  const action = planPlacement(before, nodes);
  if (action.kind === 'release')
    return { row: { ...before, node: null, port: null, conflicted: false }, nodes: [...nodes] };
  if (action.kind !== 'place') return { row: before, nodes: [...nodes] };
  const chosen = action.ports[0]!;
  return {
    row: { ...before, node: action.node.name, port: chosen, conflicted: false },
    nodes: nodes.map(n => (n.name === action.node.name ? { ...n, placed: [...n.placed, chosen] } : n)),
  };
}

test('a converged world plans nothing: what is placed well stays', () => {
  fc.assert(
    fc.property(row, fc.array(node, { maxLength: 2 }), (before, nodes) => {
      const after = apply(before, nodes);
      const again = planPlacement(after.row, after.nodes);
      expect(['wait', 'starve']).toContain(again.kind);
      expect(apply(after.row, after.nodes).row).toEqual(after.row);
    }),
    { numRuns: 3000 },
  );
});

test('a port is never given twice, never outside the range, and never taken from a live process', () => {
  fc.assert(
    fc.property(row, fc.array(node, { maxLength: 2 }), (before, nodes) => {
      const action = planPlacement(before, nodes);
      if (before.live) expect(['wait']).toContain(action.kind);
      if (action.kind !== 'place') return;
      expect(before.wanted).toBe(true);
      for (const candidate of action.ports) {
        expect(action.node.placed).not.toContain(candidate);
        expect(candidate).toBeGreaterThanOrEqual(action.node.port_from);
        expect(candidate).toBeLessThanOrEqual(action.node.port_to);
      }
      if (before.conflicted) expect(action.ports[0]).not.toBe(before.port);
    }),
    { numRuns: 3000 },
  );
});

test('what is wanted starves only when every port of every node is taken', () => {
  fc.assert(
    fc.property(row, fc.array(node, { maxLength: 2 }), (before, nodes) => {
      if (planPlacement(before, nodes).kind !== 'starve') return;
      for (const n of nodes) expect(n.placed.length + (before.conflicted ? 1 : 0)).toBeGreaterThanOrEqual(8);
    }),
    { numRuns: 3000 },
  );
});

test('an instance that returns gets its old port when that is free, even while it cools down', () => {
  const nodes = [
    {
      name: 'a',
      instance_host: '127.0.0.1',
      port_from: 3001,
      port_to: 3008,
      instances: 0,
      placed: [],
      cooling: [3005],
    },
  ];
  const back = {
    uid: 'x',
    name: 'x',
    wanted: true,
    phase: 'Stopped',
    live: false,
    node: null,
    port: null,
    conflicted: false,
    last_node: 'a',
    last_port: 3005,
  } as const;
  const action = planPlacement(back, nodes);
  expect(action.kind === 'place' && action.ports.slice(0, 2)).toEqual([3005, 3001]);
});
