import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { typeOf } from '../../controllers/server-type.ts';
import type { Queryable } from '../../src/db/pool.ts';
import { readInstance, readInstances } from '../../src/db/world.ts';
import { typeManifest } from '../../specs/types/manifest.ts';
import { insertType, updateType } from '../../src/db/types.ts';
import { createTestDatabase } from '../support/database.ts';
import type { TestDatabase } from '../support/database.ts';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.close());

const typeWrite = (name: string, fields: object = {}) => {
  const document = { title: 'T', command: ['cat'], ...fields };
  return { name, manifest: typeManifest.parse(document), source: 'manifest' as const, document };
};

async function declare(type: string): Promise<string> {
  const uid = randomUUID();
  await database.pool.query('insert into instances (uid, name, type) values ($1, $2, $3)', [uid, `i-${uid}`, type]);
  return uid;
}

test('a pass reads each manifest once, and every instance has its own', async () => {
  const { pool } = database;
  const types = ['one', 'two'].map(name => typeWrite(name, { args: [name] }));
  for (const type of types) await insertType(pool, type);
  for (const type of ['one', 'two', 'one', 'stdio', 'two', 'one', 'gone']) await declare(type);
  let sent = 0;
  const counting = {
    async query(text: string, values: unknown[]) {
      const answer = await pool.query(text, values);
      sent += answer.rows.filter(row => row.type_manifest !== null).length;
      return answer;
    },
  } as unknown as Queryable;
  const rows = await readInstances(counting, 'here');
  expect(sent).toBe(2);
  const manifestOf = new Map(types.map(type => [type.name, type.manifest]));
  expect(rows.map(row => row.type).toSorted()).toEqual(['gone', 'one', 'one', 'one', 'stdio', 'two', 'two']);
  for (const row of rows) {
    const expected = manifestOf.get(row.type) ?? null;
    expect([row.type, JSON.parse(row.type_manifest ?? 'null')]).toEqual([row.type, expected]);
    expect(await readInstance(pool, 'here', row.uid)).toEqual({ ...row, now: expect.any(Date) });
  }
});

test('types are made once for all passes, also very many, and anew when their program changes', async () => {
  const { pool } = database;
  const text = JSON.stringify(typeWrite('x').manifest);
  const many = Array.from({ length: 2_000 }, (_, index) => `many-${index}`);
  const pass = () => many.map(type => typeOf({ type, type_manifest: text, type_program: 'same' }));
  const first = pass();
  expect(pass().every((type, index) => type === first[index])).toBe(true);

  await insertType(pool, typeWrite('changing'));
  const uid = await declare('changing');
  const read = async () => typeOf((await readInstance(pool, 'here', uid))!);
  const made = await read();
  await updateType(pool, typeWrite('changing', { title: 'Other words' }));
  expect(await read()).toBe(made);
  await updateType(pool, typeWrite('changing', { args: ['--new'] }));
  expect((await read())!.manifest!.args).toEqual(['--new']);
  await updateType(pool, typeWrite('changing'));
  expect((await read())!.manifest!.args).toEqual([]);
});
