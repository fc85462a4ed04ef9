import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { runTool } from './testing/run-tool.js';
import { volumeId } from './testing/steps.js';
import { tempFolder } from './testing/temp-folder.js';

const SCRIPT = fileURLToPath(new URL('testing/fill-disk.ts', import.meta.url));
const MIB = 2 ** 20;

describe.each([
  ['vhdx', 16],
  ['raw', 12],
] as const)('a full disk under %s files', (kind, diskMib) => {
  it('is told, and nothing half made stays', async () => {
    await using folder = await tempFolder();
    const [image, disk] = [join(folder.path, 'image'), join(folder.path, 'disk')];
    await writeFile(`${image}.small`, randomBytes(8 * MIB));
    await writeFile(image, randomBytes(60 * MIB));
    await runTool('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', image, `${image}.qcow2`]);
    await mkdir(disk);
    const mount = `mount -t tmpfs -o size=${diskMib}m none "$0" && exec "$@"`;
    const script = [process.execPath, '--import', 'tsx', '--conditions=source', SCRIPT, disk, kind, image];
    const told = await runTool('unshare', [
      '--user',
      '--map-root-user',
      '--mount',
      'sh',
      '-c',
      mount,
      disk,
      ...script,
    ]);
    const noSpace = 'NO_SPACE';
    const { codes, left } = JSON.parse(told);
    expect(codes).toEqual(['done', noSpace, noSpace, noSpace, noSpace, noSpace, noSpace]);
    expect(left.toSorted()).toEqual(
      ['share', `share/volume-${volumeId(1)}.${kind}`, 'snapshots', 'work'].toSorted(),
    );
  });
});
