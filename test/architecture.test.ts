import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from 'vitest';

interface Import {
  readonly from: string;
  /** A path from the root, or the name of a package or builtin. */
  readonly to: string;
  readonly typeOnly: boolean;
}

const rooms = ['specs', 'src', 'controllers', 'mcp-servers'];
const files = rooms.flatMap(room => globSync(`${room}/**/*.ts`));
const imports = files.flatMap(importsOf);

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8');
  const found = [...text.matchAll(/^(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm)].map(
    match => [match[2]!, match[1] !== undefined] as const,
  );
  const lazy = [...text.matchAll(/\bimport\(\s*'([^']+)'\s*\)/g)].map(match => [match[1]!, false] as const);
  return [...found, ...lazy].map(([to, typeOnly]) => ({
    from: file,
    to: to.startsWith('.') ? normalize(join(dirname(file), to)) : to,
    typeOnly,
  }));
}

const inRoom = (room: string) => (path: string) => path.startsWith(`${room}/`);
const isPlan = (path: string): boolean => path.endsWith('.plan.ts');
const local = (entry: Import): boolean => rooms.some(room => inRoom(room)(entry.to));

function offenders(rule: (entry: Import) => boolean): string[] {
  return imports.filter(rule).map(({ from, to }) => `${from} imports ${to}`);
}

test('the imports were seen at all', () => {
  expect(files.length).toBeGreaterThan(50);
  for (const room of rooms) expect(imports.filter(entry => inRoom(room)(entry.from)).length, room).toBeGreaterThan(5);
  expect(imports.filter(entry => entry.typeOnly).length).toBeGreaterThan(20);
  const missing = imports.filter(local).filter(entry => !files.includes(entry.to));
  expect(missing).toEqual([]);
});

test('specs import zod alone', () => {
  expect(offenders(entry => inRoom('specs')(entry.from) && !inRoom('specs')(entry.to) && entry.to !== 'zod')).toEqual(
    [],
  );
});

test('mcp-servers import nothing of src or controllers', () => {
  expect(
    offenders(
      entry => inRoom('mcp-servers')(entry.from) && (inRoom('src')(entry.to) || inRoom('controllers')(entry.to)),
    ),
  ).toEqual([]);
});

test('src/db imports specs and itself; SQL lives nowhere else', () => {
  const allowed = (to: string): boolean => inRoom('src/db')(to) || inRoom('specs')(to) || to === 'src/errors.ts';
  expect(offenders(entry => inRoom('src/db')(entry.from) && local(entry) && !allowed(entry.to))).toEqual([]);
  const sql = files.filter(
    file =>
      !inRoom('src/db')(file) &&
      !inRoom('src/postgres')(file) &&
      /\b(select .+ from|insert into|update \w+ set|delete from) /.test(readFileSync(file, 'utf8')),
  );
  expect(sql).toEqual([]);
});

test('plans import specs, plans and types, and have no clock, no chance and no world', () => {
  expect(
    offenders(entry => isPlan(entry.from) && !entry.typeOnly && !isPlan(entry.to) && !inRoom('specs')(entry.to)),
  ).toEqual([]);
  const impure = files
    .filter(isPlan)
    .filter(file =>
      /\b(Date\.now|new Date|Math\.random|performance|process\.(env|kill)|setTimeout|fetch)\b/.test(
        readFileSync(file, 'utf8'),
      ),
    );
  expect(files.filter(isPlan).length).toBeGreaterThan(4);
  expect(impure).toEqual([]);
});

test('controllers meet in the database alone', () => {
  const nouns = ['expiry', 'scheduler', 'process', 'health', 'cleanup'];
  const nounOf = (path: string): string | undefined =>
    nouns.find(noun => new RegExp(`^controllers/${noun}([.-][\\w.-]+)?\\.ts$`).test(path));
  expect(
    offenders(entry => {
      const from = nounOf(entry.from);
      const to = nounOf(entry.to);
      return from !== undefined && to !== undefined && from !== to;
    }),
  ).toEqual([]);
  expect(
    offenders(
      entry => inRoom('controllers')(entry.from) && (inRoom('src/api')(entry.to) || inRoom('mcp-servers')(entry.to)),
    ),
  ).toEqual([]);
});

test('the API never touches a process', () => {
  expect(
    offenders(
      entry =>
        inRoom('src/api')(entry.from) &&
        (inRoom('controllers')(entry.to) || /child_process|tree-kill|pidusage/.test(entry.to)),
    ),
  ).toEqual([]);
});

test('processes are ended in one place', () => {
  const killers = files.filter(
    file => inRoom('controllers')(file) && /process\.kill\(|tree-kill/.test(readFileSync(file, 'utf8')),
  );
  expect(killers.toSorted()).toEqual([
    'controllers/crashpoint.ts',
    'controllers/runtime/builtin.ts',
    'controllers/runtime/process-table.ts',
  ]);
});
