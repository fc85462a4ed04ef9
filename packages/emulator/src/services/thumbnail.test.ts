import { isCimInstance } from '@nova-hyperv/wsman';
import type { CimValue } from '@nova-hyperv/wsman';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listOf } from '../cim.js';
import { settingsReference } from '../machines/model.js';
import { FakeEngine } from '../testing/fake-engine.js';
import { power } from '../testing/machine-client.js';
import { MANAGEMENT, defineMachine, startTestHost } from '../testing/test-host.js';
import type { TestHost } from '../testing/test-host.js';
import { scaled } from './thumbnail.js';

const RUNNING = 2;

let test: TestHost;
let engine: FakeEngine;
let id: string;

beforeEach(async () => {
  engine = new FakeEngine();
  engine.screen = { width: 2, height: 1, rgb: Uint8Array.of(255, 0, 0, 0, 0, 255) };
  test = await startTestHost({}, engine);
  id = await defineMachine(test.client, { ElementName: 'vm' });
});
afterEach(() => test.close());

async function ask(width: number, height: number, machine = id): Promise<unknown> {
  const { returnValue, out } = await test.client.invoke(MANAGEMENT, 'GetVirtualSystemThumbnailImage', {
    TargetSystem: settingsReference(machine),
    WidthPixels: width,
    HeightPixels: height,
  });
  return returnValue === 0 ? out['ImageData'] : returnValue;
}

describe('the thumbnail of a machine', () => {
  it('is its screen, scaled, in RGB565', async () => {
    expect(await power(test, id, RUNNING)).toBe(0);
    const [red, blue] = [
      [0x00, 0xf8],
      [0x1f, 0x00],
    ];
    expect(await ask(4, 2)).toEqual([red, red, blue, blue, red, red, blue, blue].flat());
  });

  it('is refused of a machine that is off or not there, and in sizes that are none', async () => {
    expect(await ask(80, 60)).toBe(32775);
    expect([await ask(0, 60), await ask(80, 5000)]).toEqual([32773, 32773]);
    expect(await ask(80, 60, '00000000-0000-4000-8000-000000000000')).toBe(32773);
  });

  it('comes with the summary when it is asked for', async () => {
    const summary = async (): Promise<CimValue | undefined> => {
      const { out } = await test.client.invoke(MANAGEMENT, 'GetSummaryInformation', {
        RequestedInformation: [5],
      });
      const [only] = listOf(out['SummaryInformation']);
      if (only === undefined || !isCimInstance(only)) throw new Error('no summary');
      return only.properties['ThumbnailImage'];
    };
    expect(await summary()).toBeUndefined();
    await power(test, id, RUNNING);
    expect(await summary()).toHaveLength(80 * 60 * 2);
  });
});

it('there is black where there is no screen', () => {
  expect(scaled(undefined, 2, 1)).toEqual(Uint8Array.of(0, 0, 0, 0));
});
