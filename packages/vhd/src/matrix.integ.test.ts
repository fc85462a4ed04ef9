import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { KIB, MIB } from './bytes/integers.js';
import { checkDisk } from './check/check-disk.js';
import { compactDisk } from './compact.js';
import { convertDisk } from './convert.js';
import { mergeDisk } from './merge.js';
import { openDisk } from './open.js';
import { openRaw } from './raw-disk.js';
import { resizeDisk } from './resize.js';
import { besideChild } from './test-support/disk-kinds.js';
import { Random } from './test-support/random.js';
import { runJson, runTool } from './test-support/run-tool.js';
import { inTempFolder } from './test-support/temp-folder.js';
import { createVhd } from './vhd/create.js';
import { createVhdx } from './vhdx/create.js';

interface Form {
  readonly name: string;
  readonly format: 'vhd' | 'vhdx';
  readonly type: 'fixed' | 'dynamic';
  readonly blockSize: number;
  readonly sectorSize: 512 | 4096;
}

const vhdx = (type: 'fixed' | 'dynamic', blockMiB: number, sectorSize: 512 | 4096 = 512): Form => ({
  name: `${type} VHDX, blocks of ${blockMiB} MiB, sectors of ${sectorSize}`,
  format: 'vhdx',
  type,
  blockSize: blockMiB * MIB,
  sectorSize,
});
const FORMS: readonly Form[] = [
  ...[1, 2, 32, 256].map((blocks) => vhdx('dynamic', blocks)),
  ...[1, 32].map((blocks) => vhdx('fixed', blocks)),
  ...[512 * KIB, 2 * MIB].map((blockSize): Form => ({
    name: `dynamic VHD, blocks of ${blockSize / KIB} KiB`,
    format: 'vhd',
    type: 'dynamic',
    blockSize,
    sectorSize: 512,
  })),
  { name: 'fixed VHD', format: 'vhd', type: 'fixed', blockSize: 0, sectorSize: 512 },
];

/** Neither a multiple of any block size nor of a mebibyte. */
const SIZE = 41 * MIB + 8 * KIB;
/** The same disk a bit larger: more blocks, of the small sizes. */
const GROWN = 75 * MIB + 12 * KIB;
const qemu = ({ format }: Form): string => (format === 'vhd' ? 'vpc' : 'vhdx');

async function create(form: Form, file: string): Promise<void> {
  const { type, blockSize, sectorSize } = form;
  const options = { path: file, type, virtualSize: SIZE, ...(blockSize === 0 ? {} : { blockSize }) };
  if (form.format === 'vhd') await createVhd(options);
  else await createVhdx({ ...options, logicalSectorSize: sectorSize });
}

/** The same random bytes at the same places, the first and the last among them. */
async function writeBoth(disk: string, raw: string, seed: number, unit: number): Promise<void> {
  const random = new Random(seed);
  const [left, right] = [await openDisk(disk, besideChild), await openRaw(raw)];
  try {
    const { virtualSize } = left;
    for (let count = 0; count < 24; count += 1) {
      const length = Math.ceil((1 + random.below(count % 8 === 0 ? 1_500_000 : 9000)) / unit) * unit;
      const anywhere = Math.floor(random.below(virtualSize - length) / unit) * unit;
      const offset = [0, virtualSize - length][count] ?? anywhere;
      const bytes = random.bytes(length);
      await Promise.all([left.write(bytes, offset), right.write(bytes, offset)]);
    }
  } finally {
    await left.close();
    await right.close();
  }
}

/** QEMU has nothing to complain of, and reads the raw image's content; nor have we. */
async function expectSound(form: Form, disk: string, raw: string): Promise<void> {
  const { whole, findings } = await checkDisk(disk);
  // QEMU's fixed VHDX has no place for blocks that read as zeros.
  expect(findings.filter(({ code }) => code !== 'block-missing' || form.type !== 'fixed')).toEqual([]);
  expect(whole).toBe(true);
  if (form.format === 'vhdx') await runTool('qemu-img', 'check', '-f', 'vhdx', disk);
  await runTool('qemu-img', 'compare', '-f', qemu(form), '-F', 'raw', disk, raw);
}

async function emptyRaw(raw: string): Promise<void> {
  await writeFile(raw, '');
  await truncate(raw, SIZE);
}

describe.each(FORMS)('$name', (form) => {
  it('is the same to us and QEMU after each of us wrote to it, and after it grew', () =>
    inTempFolder(async (folder) => {
      const [disk, raw] = [path.join(folder, 'disk.img'), path.join(folder, 'raw.img')];
      await create(form, disk);
      await emptyRaw(raw);
      await writeBoth(disk, raw, 1, 1);
      await expectSound(form, disk, raw);
      const script = [
        `write -P 1 0 513k`,
        `write -P 2 20M 3M`,
        `write -P 3 ${SIZE - 4608} 4608`,
        `write -z 30M 1M`,
      ];
      const commands = script.flatMap((each) => ['-c', each]);
      await runTool('qemu-io', '-f', qemu(form), ...commands, disk);
      await runTool('qemu-io', '-f', 'raw', ...commands, raw);
      await expectSound(form, disk, raw);
      const opened = await openDisk(disk);
      await opened.resize(GROWN);
      await opened.close();
      await truncate(raw, GROWN);
      await expectSound(form, disk, raw);
      await writeBoth(disk, raw, 2, 1);
      await expectSound(form, disk, raw);
      const info = await runJson('qemu-img', 'info', '--output=json', '-f', qemu(form), disk);
      expect(info).toMatchObject({ 'virtual-size': GROWN });
      if (form.type !== 'fixed') await compactDisk(disk);
      await expectSound(form, disk, raw);
      if (form.format !== 'vhdx') return;
      await resizeDisk(disk, SIZE, { force: true });
      await truncate(raw, SIZE);
      await expectSound(form, disk, raw);
    }));

  it('made by qemu-img from a raw image is sound to us, and back; written by us it is to QEMU', () =>
    inTempFolder(async (folder) => {
      const at = (name: string): string => path.join(folder, name);
      const [disk, raw, back] = [at('disk.img'), at('raw.img'), at('back.img')];
      const scratch = path.join(folder, 'scratch.vhdx');
      await createVhdx({ path: scratch, type: 'dynamic', virtualSize: SIZE });
      await emptyRaw(raw);
      await writeBoth(scratch, raw, 3, 1);
      const options = [`subformat=${form.type}`];
      if (form.format === 'vhd') options.push('force_size=on');
      else options.push(`block_size=${form.blockSize}`);
      await runTool('qemu-img', 'convert', '-f', 'raw', '-O', qemu(form), '-o', options.join(','), raw, disk);
      await expectSound(form, disk, raw);
      await convertDisk({ path: disk }, { path: back, format: 'raw' });
      await runTool('cmp', raw, back);
      await writeBoth(disk, raw, 4, 1);
      await expectSound(form, disk, raw);
    }));
});

/** Mounting needs FUSE and the right to mount. */
const canMount = process.getuid?.() === 0 && existsSync('/dev/fuse');

async function mounted(disk: string, folder: string): Promise<Buffer> {
  const mount = path.join(folder, 'mount');
  await mkdir(mount);
  await runTool('vhdimount', disk, mount);
  try {
    const layers = (await readdir(mount)).toSorted();
    return await readFile(path.join(mount, layers.at(-1) ?? ''));
  } finally {
    await runTool('umount', mount);
  }
}

const BEYOND_QEMU = [1, 2, 32, 256].flatMap((blocks) => [
  vhdx('dynamic', blocks, 4096),
  vhdx('dynamic', blocks),
]);

describe.skipIf(!canMount).each(BEYOND_QEMU)('what QEMU does not open: $name', (form) => {
  it('and a chain of such disks are the same to us and libvhdi', () =>
    inTempFolder(async (folder) => {
      const at = (name: string): string => path.join(folder, name);
      const [raw, base, child] = [at('raw.img'), at('base.img'), at('child.img')];
      await create(form, base);
      await emptyRaw(raw);
      // libvhdi 20210425 mixes up layers inside a byte of the bitmap; eight sectors make a byte.
      await writeBoth(base, raw, 5, 8 * form.sectorSize);
      const locators = { relativePath: '.\\base.img', absoluteWin32Path: 'C:\\disks\\base.img' };
      const { blockSize } = form;
      await createVhdx({ path: child, type: 'differencing', blockSize, parent: { path: base, locators } });
      await writeBoth(child, raw, 6, 8 * form.sectorSize);
      const report = await checkDisk(child, besideChild);
      expect(report).toMatchObject({ whole: true, findings: [], parent: { whole: true, findings: [] } });
      expect((await mounted(child, folder)).equals(await readFile(raw))).toBe(true);
      await mergeDisk({ path: child, ...besideChild });
      if (form.sectorSize === 512) await expectSound(form, base, raw);
      else expect(await checkDisk(base)).toMatchObject({ whole: true, findings: [] });
    }));
});
