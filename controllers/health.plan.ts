/** What a probe of an attempt's host came to. */
export type Probe = { readonly ok: true } | { readonly ok: false; readonly message: string };

export interface HealthState {
  /** What is recorded; null = nothing yet. */
  readonly ready: boolean | null;
  readonly failuresInARow: number;
}

export interface HealthVerdict {
  readonly record: { readonly ready: boolean; readonly message: string } | null;
  readonly failuresInARow: number;
  readonly nextMs: number;
}

export interface HealthTiming {
  /** Between probes when all is well. */
  readonly calmMs: number;
  /** While starting, failing or suspicious. */
  readonly suspiciousMs: number;
  /** Failures in a row that make a ready instance unhealthy. */
  readonly failures: number;
}

/** One lost probe is noise, some in a row are not; an instance that never was ready is told its reason at once. */
export function planHealth(state: HealthState, probe: Probe, timing: HealthTiming): HealthVerdict {
  if (probe.ok) {
    const record = state.ready === true ? null : { ready: true, message: '' };
    return { record, failuresInARow: 0, nextMs: timing.calmMs };
  }
  const failuresInARow = state.failuresInARow + 1;
  const doubted = state.ready === true && failuresInARow < timing.failures;
  return {
    record: doubted ? null : { ready: false, message: probe.message },
    failuresInARow,
    nextMs: timing.suspiciousMs,
  };
}
