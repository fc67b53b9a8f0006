import type { FigmaFault } from '../fakes/figma/fault.ts';
import { startHost } from './host.ts';
import type { HostOptions, TestHost } from './host.ts';
import { startFakeVendor } from './vendor.ts';
import type { FakeVendor } from './vendor.ts';

export type FakeFigma = FakeVendor<FigmaFault>;

export const startFakeFigma = (): Promise<FakeFigma> => startFakeVendor('figma');

/** A host of type figma before a fake; its base URL may also come from the config. */
export const startFigmaHost = (figma: Pick<FakeFigma, 'url'>, options: HostOptions = {}): Promise<TestHost> =>
  startHost({ type: 'figma', secrets: { token: 'figd_testtoken' }, upstreamUrl: figma.url, ...options });

/** Files of the fake, by number: a test takes one that no other has, for the host remembers what it has read. */
export const landing = (index: number): string => `Landing${String(index).padStart(15, '0')}`;
export const large = (index: number): string => `Large${String(index).padStart(17, '0')}`;
