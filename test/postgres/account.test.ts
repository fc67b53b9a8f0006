import { chmod, chown, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { answerOf, isRoot, query, useRooms, type Room } from './room.ts';

const newRoom = useRooms();
const nobody = { uid: 65_534, gid: 65_534 };
/** Has no entry in the user database. */
const nameless = { uid: 54_321, gid: 54_321 };

async function uidOf(pid: number): Promise<number> {
  return (await stat(`/proc/${pid}`)).uid;
}

async function giveDataDir(room: Room, owner: { uid: number; gid: number }): Promise<void> {
  await mkdir(room.dataDir, { mode: 0o700 });
  await chown(room.dataDir, owner.uid, owner.gid);
}

test.runIf(isRoot)(
  'root without user namespaces runs the server as nobody',
  async () => {
    const room = await newRoom();
    const server = await room.start({ userNamespaces: false });
    expect(await uidOf(server.pid)).toBe(nobody.uid);
    expect(await query(server.connectionString, 'select 1 as one')).toEqual([{ one: 1 }]);
    // Nobody may pass through our directory, and read nothing of it.
    expect((await stat(room.dataDir)).mode & 0o777).toBe(0o710);
    expect((await stat(join(room.dataDir, 'postgres', 'password'))).uid).toBe(0);
    expect(await room.start()).toMatchObject({ pid: server.pid, adopted: true });
    await server.stop();
    // The files are nobody's now, and stay so where there are user namespaces.
    expect(await uidOf((await room.start()).pid)).toBe(nobody.uid);
  },
  30_000,
);

test.runIf(isRoot)(
  'a cluster made in a user namespace moves to a machine without',
  async () => {
    const room = await newRoom();
    const first = await room.start();
    await query(first.connectionString, 'create table kept as select 42 as answer');
    await first.stop();
    const second = await room.start({ userNamespaces: false });
    expect(await query(second.connectionString, 'select answer from kept')).toEqual([{ answer: 42 }]);
  },
  30_000,
);

test.runIf(isRoot)('a place that nobody can reach is a clear error', async () => {
  const room = await newRoom();
  await chmod(room.path, 0o700);
  await expect(room.start({ userNamespaces: false })).rejects.toMatchObject({ code: 'PostgresDataDirUnusable' });
});

test.runIf(isRoot)(
  'an ordinary user runs the server as itself, and root takes part without changing that',
  async () => {
    const room = await newRoom();
    await giveDataDir(room, nobody);
    const answer = await answerOf(room.starter({}, nobody));
    expect(answer).toMatchObject({ adopted: false });
    expect(await uidOf(answer.pid)).toBe(nobody.uid);
    const adopted = await room.start();
    expect(adopted).toMatchObject({ pid: answer.pid, adopted: true });
    await adopted.stop();
    expect(await uidOf((await room.start()).pid)).toBe(nobody.uid);
  },
  30_000,
);

test.runIf(isRoot)(
  'a user without a name makes the cluster in a user namespace, or is told what to do',
  async () => {
    const room = await newRoom();
    await giveDataDir(room, nameless);
    const refused = await answerOf(room.starter({ userNamespaces: false }, nameless));
    expect(refused).toMatchObject({ code: 'PostgresAccountUnavailable' });
    const answer = await answerOf(room.starter({}, nameless));
    expect(answer).toMatchObject({ adopted: false });
    expect(await uidOf(answer.pid)).toBe(nameless.uid);
    expect(await answerOf(room.starter({}, nameless))).toMatchObject({ pid: answer.pid, adopted: true });
  },
  30_000,
);

test.runIf(isRoot)(
  "another user's data directory is a clear error",
  async () => {
    const room = await newRoom();
    await (await room.start()).stop();
    const answer = await answerOf(room.starter({}, nobody));
    expect(answer).toMatchObject({ code: 'PostgresDataDirUnusable' });
    await chown(join(room.dataDir), nobody.uid, nobody.gid);
    await chown(join(room.dataDir, 'postgres'), nobody.uid, nobody.gid);
    expect(await answerOf(room.starter({}, nobody))).toMatchObject({ code: 'PostgresDataDirUnusable' });
  },
  30_000,
);
