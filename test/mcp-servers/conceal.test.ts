import { expect, test } from 'vitest';
import { fixture } from '../support/fixture.ts';
import { startHost } from '../support/host.ts';

test('a secret that is a part of a variable is concealed alone too', async () => {
  const password = 'a-long-password-0123';
  await using host = await startHost({
    command: fixture('dies-saying', `no access for ${password}`),
    secrets: { DATABASE_URL: `db://user:${password}@host` },
    conceal: [password],
    form: 'source',
  });
  expect((await host.exited).code).toBe(70);
  expect(host.exit().message).toContain('no access for [secret]');
});
