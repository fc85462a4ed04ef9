import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ROOT, run } from '../support/run.js';

/** What each layer may import: docs/architecture.md. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  wsman: [],
  vhd: [],
  emulator: ['wsman', 'vhd'],
  hyperv: ['wsman'],
  driver: ['hyperv', 'wsman', 'vhd'],
  compute: ['driver', 'hyperv', 'wsman', 'vhd'],
  cloud: ['compute', 'driver', 'hyperv', 'wsman', 'vhd'],
  cli: ['cloud', 'compute', 'driver', 'hyperv', 'wsman', 'vhd', 'emulator'],
};
const LAYERS = Object.keys(MAY_IMPORT);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nova-hyperv-layers-'));
  await copyFile(join(ROOT, '.oxlintrc.json'), join(folder, '.oxlintrc.json'));
  for (const layer of LAYERS) {
    await mkdir(join(folder, 'packages', layer, 'src'), { recursive: true });
    for (const other of LAYERS.filter((one) => one !== layer)) {
      const name = other === 'cli' ? 'nova-hyperv' : `@nova-hyperv/${other}`;
      await writeFile(join(folder, 'packages', layer, 'src', `${other}.ts`), `export * from '${name}';\n`);
    }
    await writeFile(
      join(folder, 'packages', layer, 'src', 'sideways.ts'),
      `export * from '../../vhd/src/index.js';\n`,
    );
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it('an import against the direction of the layers fails the lint run, and no other', async () => {
  const linted = await run(join(ROOT, 'node_modules/.bin/oxlint'), ['--format', 'unix'], { cwd: folder });
  const refused = linted.stdout
    .split('\n')
    .filter((line) => line.includes('no-restricted-imports'))
    .map((line) => /packages\/(\w+)\/src\/(\w+)\.ts/.exec(line)?.slice(1, 3).join(' imports '));
  const expected = LAYERS.flatMap((layer) => [
    ...LAYERS.filter((other) => other !== layer && !MAY_IMPORT[layer]!.includes(other)).map(
      (other) => `${layer} imports ${other}`,
    ),
    `${layer} imports sideways`,
  ]);
  expect(new Set(refused)).toEqual(new Set(expected));
  expect(linted.code).not.toBe(0);
});
