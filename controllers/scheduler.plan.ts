import type { NodePorts, PlacementRow } from '../src/db/placements.ts';

export type PlacementAction =
  | { readonly kind: 'wait'; readonly reason: string }
  | { readonly kind: 'release'; readonly reason: string }
  /** `ports` in the order of preference; the first that can be bound is taken. */
  | { readonly kind: 'place'; readonly node: NodePorts; readonly ports: readonly number[]; readonly reason: string }
  | { readonly kind: 'starve'; readonly reason: string };

/** Where an instance should be. A running instance is never moved. */
export function planPlacement(row: PlacementRow, nodes: readonly NodePorts[]): PlacementAction {
  const placed = row.node !== null;
  if (!row.wanted) {
    const atRest = row.phase === 'Stopped' || row.phase === 'Expired';
    if (placed && atRest && !row.live) return { kind: 'release', reason: `It is ${row.phase}` };
    return { kind: 'wait', reason: 'Nothing is to run' };
  }
  if (placed && !row.conflicted) return { kind: 'wait', reason: 'It has a place' };
  if (row.live) return { kind: 'wait', reason: 'Its last process is not closed yet' };
  for (const node of nodes) {
    const ports = candidates(row, node);
    if (ports.length > 0) {
      const reason = placed ? `Port ${row.port} is taken by another program` : `Placed on ${node.name}`;
      return { kind: 'place', node, ports, reason };
    }
  }
  return {
    kind: 'starve',
    reason:
      nodes.length === 0
        ? 'No node is alive; start `minimcp controllers`'
        : 'Every port of the range is taken; widen MINIMCP_PORT_RANGE',
  };
}

function candidates(row: PlacementRow, node: NodePorts): number[] {
  const placed = new Set(node.placed);
  const cooling = new Set(node.cooling);
  const free: number[] = [];
  const warm: number[] = [];
  for (let port = node.port_from; port <= node.port_to; port++) {
    if (placed.has(port) || (row.conflicted && port === row.port)) continue;
    (cooling.has(port) ? warm : free).push(port);
  }
  // Its own old port keeps its URL; its own late clients are welcome there.
  const own =
    row.last_node === node.name && row.last_port !== null && !row.conflicted && !placed.has(row.last_port)
      ? [row.last_port]
      : [];
  const inRange = own.filter(port => port >= node.port_from && port <= node.port_to);
  const rest = free.length > 0 ? free : warm;
  return [...inRange, ...rest.filter(port => !inRange.includes(port))];
}
