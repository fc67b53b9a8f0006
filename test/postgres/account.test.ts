import { chmod, chown, mkdir, rename, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ensureAdminToken } from '../../src/secrets/admin-token.ts';
import { createTestDatabase } from '../support/database.ts';
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
  'root without user namespaces starts a second time, whatever the data directory was made in between',
  async () => {
    const room = await newRoom();
    const database = await createTestDatabase();
    try {
      for (const mode of [null, 0o700, 0o755]) {
        if (mode !== null) await chmod(room.dataDir, mode);
        const server = await room.start({ userNamespaces: false });
        expect(await uidOf(server.pid)).toBe(nobody.uid);
        await ensureAdminToken(database.pool, { dataDir: room.dataDir, node: 'node' });
        expect(await stat(room.dataDir)).toMatchObject({ uid: 0, gid: nobody.gid });
        expect((await stat(room.dataDir)).mode & 0o777).toBe(0o710);
        await server.stop();
      }
    } finally {
      await database.close();
    }
  },
  30_000,
);

test.runIf(isRoot)(
  "someone else's password file is refused",
  async () => {
    const room = await newRoom();
    await (await room.start()).stop();
    const password = join(room.dataDir, 'postgres', 'password');
    await chown(password, nameless.uid, nameless.gid);
    await expect(room.start()).rejects.toMatchObject({ code: 'PrivateFileForeign' });
    await chown(password, 0, 0);
    await rename(password, `${password}.kept`);
    await symlink(`${password}.kept`, password);
    await expect(room.start()).rejects.toMatchObject({ code: 'PrivateFileUnreadable' });
    await rm(password);
    await rename(`${password}.kept`, password);
    await chmod(password, 0o644);
    await (await room.start()).stop();
    expect((await stat(password)).mode & 0o777).toBe(0o600);
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
  'an ordinary user runs the server as itself, and root does not take part: whose directory it is could have root do anything',
  async () => {
    const room = await newRoom();
    await giveDataDir(room, nobody);
    const answer = await answerOf(room.starter({}, nobody));
    expect(answer).toMatchObject({ adopted: false });
    expect(await uidOf(answer.pid)).toBe(nobody.uid);
    await expect(room.start()).rejects.toMatchObject({
      code: 'DataDirectoryUnsafe',
      message: expect.stringContaining(`user ${nobody.uid}`),
    });
    expect(await answerOf(room.starter({}, nobody))).toMatchObject({ pid: answer.pid, adopted: true });
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
    expect(answer).toMatchObject({ code: 'DataDirectoryUnsafe' });
    await chown(join(room.dataDir), nobody.uid, nobody.gid);
    await chown(join(room.dataDir, 'postgres'), nobody.uid, nobody.gid);
    expect(await answerOf(room.starter({}, nobody))).toMatchObject({ code: 'PostgresDataDirUnusable' });
  },
  30_000,
);
