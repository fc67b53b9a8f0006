import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createExchanges } from '../../mcp-servers/host/exchange.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('refused requests are logged once, and then counted every ten seconds', () => {
  const lines: object[] = [];
  const ignore = () => {};
  const info = (fields: object) => lines.push(fields);
  const { deny } = createExchanges({ debug: ignore, info, warn: ignore, error: ignore });
  const line = (status: number, count: number) => expect.objectContaining({ outcome: 'denied', status, count });
  for (let i = 0; i < 1000; i++) deny(401);
  deny(403);
  expect(lines.splice(0)).toEqual([line(401, 1), line(403, 1)]);
  vi.advanceTimersByTime(9_999);
  expect(lines).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(lines.splice(0)).toEqual([line(401, 999)]);
  deny(401);
  expect(lines).toEqual([]);
  vi.advanceTimersByTime(10_000);
  expect(lines.splice(0)).toEqual([line(401, 1)]);
  vi.advanceTimersByTime(60_000);
  expect(lines).toEqual([]);
  deny(401);
  expect(lines).toEqual([line(401, 1)]);
});
