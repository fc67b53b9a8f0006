import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { startHeaderProxy } from '../support/header-proxy.ts';

export interface Check {
  readonly id: string;
  readonly status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'INFO' | 'SKIPPED';
  /** What the suite says went wrong; the check's description when nothing did. */
  readonly message: string;
}

export interface ScenarioResult {
  readonly scenario: string;
  readonly checks: readonly Check[];
}

interface Run {
  /** An instance's MCP URL, and the token that the suite itself cannot send. */
  readonly url: string;
  readonly token: string;
  /** Of `conformance server`: `['--requirements', '2025-11-25']`, `['--scenario', 'ping']`, … */
  readonly args: readonly string[];
}

const packageDirectory = dirname(fileURLToPath(import.meta.resolve('@modelcontextprotocol/conformance/package.json')));

/**
 * Runs the protocol's own conformance suite against an instance, in one process. A scenario that broke off has
 * one failed check that says so. Throws when the suite ran nothing at all.
 */
export async function runConformance({ url, token, args }: Run): Promise<ScenarioResult[]> {
  await using proxy = await startHeaderProxy(url, { authorization: `Bearer ${token}` });
  const directory = mkdtempSync(join(tmpdir(), 'minimcp-conformance-'));
  try {
    const program = join(packageDirectory, 'dist/index.js');
    const child = spawn(
      process.execPath,
      [program, 'server', '--url', proxy.url, '--output-dir', directory, '--timeout', '20000', ...args],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    const results = readdirSync(directory).map(entry => readScenario(directory, entry));
    if (results.length === 0) throw new Error(`The conformance suite ran nothing:\n${output}\n${errors}`);
    return results;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** The failed checks as `scenario: check: message`, of all scenarios or of these alone. */
export function listFailures(results: readonly ScenarioResult[], only?: ReadonlySet<string>): string[] {
  return results
    .filter(({ scenario }) => only === undefined || only.has(scenario))
    .flatMap(({ scenario, checks }) =>
      checks.filter(({ status }) => status === 'FAILURE').map(({ id, message }) => `${scenario}: ${id}: ${message}`),
    );
}

/** The scenarios a revision requires of servers. What the suite runs besides is reported, never required. */
export function requiredScenarios(revision: '2025-11-25' | '2026-07-28'): ReadonlySet<string> {
  const file = readFileSync(join(packageDirectory, 'requirements', `${revision}.yaml`), 'utf8');
  const [, list = ''] = /^server:\n((?: {2}- .*\n)+)/m.exec(file) ?? [];
  return new Set([...list.matchAll(/^ {2}- (\S+)/gm)].map(match => match[1]!));
}

function readScenario(directory: string, entry: string): ScenarioResult {
  const scenario = entry.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, '');
  const file = join(directory, entry, 'checks.json');
  if (!existsSync(file)) {
    return { scenario, checks: [{ id: 'completed', status: 'FAILURE', message: 'The scenario broke off.' }] };
  }
  const checks = JSON.parse(readFileSync(file, 'utf8')) as (Check & { errorMessage?: string; description?: string })[];
  return {
    scenario,
    checks: checks.map(({ id, status, errorMessage, description = '' }) => ({
      id,
      status,
      message: errorMessage ?? description,
    })),
  };
}
