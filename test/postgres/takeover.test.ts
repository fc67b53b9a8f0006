import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { answerOf, kill, query, statField, useRooms } from './room.ts';

const newRoom = useRooms({ prepared: true });

test('a server outlives kill -9 of the process that started it, and the next start takes it over', async () => {
  const room = await newRoom();
  await room.furnish();
  const starter = room.starter();
  const orphan = await answerOf(starter);
  await query(orphan.connectionString, 'create table kept as select 42 as answer');
  await kill(starter);
  const messages: string[] = [];
  const server = await room.start({ log: message => messages.push(message) });
  expect(server).toMatchObject({ pid: orphan.pid, adopted: true });
  expect(messages).toEqual([`took over the running embedded database, process ${orphan.pid}`]);
  expect(await query(server.connectionString, 'select answer from kept')).toEqual([{ answer: 42 }]);
  await server.stop();
  expect(await room.processes()).toEqual([]);
}, 20_000);

test('Ctrl-C does not reach the server', async () => {
  const room = await newRoom();
  await room.furnish();
  const starter = room.starter();
  const { pid } = await answerOf(starter);
  const group = await statField(starter.pid ?? 0, 5);
  process.kill(-group, 'SIGINT');
  process.kill(-group, 'SIGHUP');
  expect(await room.start()).toMatchObject({ pid, adopted: true });
}, 20_000);

test('of many starts at once on an empty directory one starts and the others take over', async () => {
  const room = await newRoom();
  const starters = [room.starter(), room.starter(), room.starter()];
  const here = [room.start(), room.start()];
  const answers = await Promise.all([...starters.map(answerOf), ...here]);
  expect(new Set(answers.map(answer => answer.pid)).size).toBe(1);
  expect(answers.filter(answer => !answer.adopted)).toHaveLength(1);
}, 30_000);

test('a start during a stop gets a server that stays', async () => {
  const room = await newRoom();
  await room.furnish();
  for (let round = 0; round < 5; round++) {
    const old = await room.start();
    const stopping = old.stop();
    // Meets the stop at another moment each time.
    await delay(round * 5);
    const server = await room.start();
    await stopping;
    expect(server.pid).not.toBe(old.pid);
    expect(await query(server.connectionString, 'select 1 as one')).toEqual([{ one: 1 }]);
    await server.stop('immediate');
  }
}, 30_000);
