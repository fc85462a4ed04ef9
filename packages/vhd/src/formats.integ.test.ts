import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { KIB, MIB } from './bytes/integers.js';
import { convertDisk } from './convert.js';
import { inspect } from './inspect.js';
import { openDisk } from './open.js';
import { openRaw } from './raw-disk.js';
import { besideChild, createKind, DISK_KINDS } from './test-support/disk-kinds.js';
import { Random } from './test-support/random.js';
import { runJson, runTool } from './test-support/run-tool.js';
import { inTempFolder } from './test-support/temp-folder.js';
import { createVhdx } from './vhdx/create.js';

/** Whole cylinders (17 sectors, 4 heads), so that tools which round VHD sizes agree. */
const SIZE = 17 * 4 * 512 * 400;

/** Writes the same random bytes to a disk and a raw image, at multiples of `unit`. */
async function writeBoth(disk: string, raw: string, seed: number, unit = 1): Promise<void> {
  const random = new Random(seed);
  const [left, right] = [await openDisk(disk, besideChild), await openRaw(raw)];
  try {
    for (let count = 0; count < 30; count += 1) {
      const length = 1 + random.below(count % 5 === 0 ? 1_500_000 : 9000);
      const bytes = random.bytes(Math.ceil(length / unit) * unit);
      const offset = Math.floor(random.below(SIZE - bytes.length) / unit) * unit;
      await Promise.all([left.write(bytes, offset), right.write(bytes, offset)]);
    }
  } finally {
    await left.close();
    await right.close();
  }
}

async function rawImage(file: string): Promise<void> {
  await writeFile(file, '');
  await truncate(file, SIZE);
}

/** Mounts a chain with libvhdi and gives the paths of its layers, the top one last. */
async function withMounted(
  disk: string,
  folder: string,
  test: (layers: string[]) => Promise<void>,
): Promise<void> {
  const mount = path.join(folder, 'mount');
  await mkdir(mount);
  await runTool('vhdimount', disk, mount);
  try {
    await test((await readdir(mount)).toSorted().map((name) => path.join(mount, name)));
  } finally {
    await runTool('umount', mount);
  }
}

/** Mounting needs FUSE and the right to mount. */
const canMount = process.getuid?.() === 0 && existsSync('/dev/fuse');

const qemuFormat = (kind: { format: 'vhd' | 'vhdx' }): string => (kind.format === 'vhd' ? 'vpc' : 'vhdx');
const whole = DISK_KINDS.filter((kind) => kind.type !== 'differencing');
const children = DISK_KINDS.filter((kind) => kind.type === 'differencing');

/** QEMU 7.2 opens no VHDX with sectors of 4096 bytes. */
const forQemu = whole.filter((kind) => kind.sectorSize === 512);

describe.each(forQemu)('$name, seen by QEMU', (kind) => {
  it('is what qemu-img reads, and has nothing to complain of', () =>
    inTempFolder(async (folder) => {
      const [disk, raw] = [path.join(folder, 'disk.img'), path.join(folder, 'raw.img')];
      await createKind(kind, disk, SIZE);
      await rawImage(raw);
      await writeBoth(disk, raw, 3);
      const info = await runJson('qemu-img', 'info', '--output=json', '-f', qemuFormat(kind), disk);
      expect(info).toMatchObject({ 'virtual-size': SIZE });
      await runTool('qemu-img', 'compare', '-f', qemuFormat(kind), '-F', 'raw', disk, raw);
      if (kind.format === 'vhdx') await runTool('qemu-img', 'check', '-f', 'vhdx', disk);
    }));

  it('can go on being written by us after QEMU wrote to it', () =>
    inTempFolder(async (folder) => {
      const [disk, raw] = [path.join(folder, 'disk.img'), path.join(folder, 'raw.img')];
      await createKind(kind, disk, SIZE);
      await rawImage(raw);
      await writeBoth(disk, raw, 4);
      const script = ['-c', 'write -P 0x77 1M 3M', '-c', 'write -P 0x78 13000k 4k'];
      await runTool('qemu-io', '-f', qemuFormat(kind), ...script, disk);
      await runTool('qemu-io', '-f', 'raw', ...script, raw);
      await writeBoth(disk, raw, 5);
      await runTool('qemu-img', 'compare', '-f', qemuFormat(kind), '-F', 'raw', disk, raw);
    }));
});

describe.each(whole)('$name, seen by libvhdi', (kind) => {
  it('is what vhdiinfo says it is', () =>
    inTempFolder(async (folder) => {
      const disk = path.join(folder, 'disk.img');
      await createKind(kind, disk, SIZE);
      const [info, said] = [await inspect(disk), await runTool('vhdiinfo', disk)];
      expect(said).toContain(`(${SIZE} bytes)`);
      // For VHDX, libvhdi's identifier is the one that children refer to.
      expect(said.toUpperCase()).toContain(info.dataWriteIdentifier ?? info.identifier);
      expect(said).toMatch(
        new RegExp(`Disk type\\s*:\\s*${kind.type === 'fixed' ? 'Fixed' : 'Dynamic'}`, 'i'),
      );
    }));

  it.skipIf(!canMount)('reads the same through libvhdi', () =>
    inTempFolder(async (folder) => {
      const [disk, raw] = [path.join(folder, 'disk.img'), path.join(folder, 'raw.img')];
      await createKind(kind, disk, SIZE);
      await rawImage(raw);
      await writeBoth(disk, raw, 13);
      await withMounted(disk, folder, ([layer]) => runTool('cmp', raw, layer ?? '').then(() => undefined));
    }),
  );
});

const made = [
  { name: 'VHD dynamic', format: 'vhd', options: 'subformat=dynamic,force_size=on', type: 'dynamic' },
  { name: 'VHD fixed', format: 'vhd', options: 'subformat=fixed,force_size=on', type: 'fixed' },
  { name: 'VHDX dynamic', format: 'vhdx', options: 'subformat=dynamic,block_size=1M', type: 'dynamic' },
  { name: 'VHDX dynamic, default blocks', format: 'vhdx', options: 'subformat=dynamic', type: 'dynamic' },
  { name: 'VHDX fixed', format: 'vhdx', options: 'subformat=fixed', type: 'fixed' },
] as const;

describe.each(made)('$name made by qemu-img', (form) => {
  it('is read, written, grown and converted by us', () =>
    inTempFolder(async (folder) => {
      const [disk, raw, back] = [
        path.join(folder, 'disk.img'),
        path.join(folder, 'raw.img'),
        path.join(folder, 'back.img'),
      ];
      await rawImage(raw);
      const scratch = path.join(folder, 'scratch.vhdx');
      await createVhdx({ path: scratch, type: 'dynamic', virtualSize: SIZE });
      await writeBoth(scratch, raw, 6);
      await runTool(
        'qemu-img',
        'convert',
        '-f',
        'raw',
        '-O',
        qemuFormat(form),
        '-o',
        form.options,
        raw,
        disk,
      );
      expect(await inspect(disk)).toMatchObject({ format: form.format, type: form.type, virtualSize: SIZE });
      await convertDisk({ path: disk }, { path: back, format: 'raw' });
      await runTool('cmp', raw, back);
      await writeBoth(disk, raw, 8);
      const opened = await openDisk(disk);
      await opened.resize(SIZE + 8 * MIB);
      await opened.close();
      await truncate(raw, SIZE + 8 * MIB);
      await runTool('qemu-img', 'compare', '-f', qemuFormat(form), '-F', 'raw', disk, raw);
    }));
});

describe.each([
  { name: 'VHD dynamic', format: 'vhd', type: 'dynamic' },
  { name: 'VHD fixed', format: 'vhd', type: 'fixed' },
  { name: 'VHDX dynamic', format: 'vhdx', type: 'dynamic' },
  { name: 'VHDX fixed', format: 'vhdx', type: 'fixed' },
] as const)('converting a raw image to $name', (form) => {
  it('gives the same content, sparse where there is nothing', () =>
    inTempFolder(async (folder) => {
      const [raw, disk] = [path.join(folder, 'raw.img'), path.join(folder, 'disk.img')];
      await rawImage(raw);
      const image = await openRaw(raw);
      await image.write(new Random(9).bytes(300 * KIB), 5 * MIB + 77);
      await image.close();
      const seen: number[] = [];
      await convertDisk(
        { path: raw, as: 'raw' },
        { path: disk, format: form.format, type: form.type },
        { onProgress: ({ done }) => seen.push(done) },
      );
      expect(seen.at(-1)).toBe(SIZE);
      await runTool('qemu-img', 'compare', '-f', 'raw', '-F', qemuFormat(form), raw, disk);
      const { blocks } = await stat(disk);
      expect(blocks * 512).toBeLessThan(4 * MIB);
    }));
});

describe.each(children)('$name, seen from outside', (kind) => {
  it('is what vhdiinfo says it is', () =>
    inTempFolder(async (folder) => {
      const [base, child] = [path.join(folder, 'base.img'), path.join(folder, 'child.img')];
      await createKind(kind, base, SIZE);
      await createKind(kind, child, 0, base);
      const [info, said] = [await inspect(child), await runTool('vhdiinfo', child)];
      expect(said).toMatch(/Disk type\s*:\s*Differential/i);
      expect(said).toContain(`(${SIZE} bytes)`);
      // For VHDX, libvhdi's identifier is the one that children refer to.
      expect(said.toUpperCase()).toContain(info.dataWriteIdentifier ?? info.identifier);
      expect(said.toUpperCase()).toContain(info.parent?.identifier);
    }));

  it.skipIf(!canMount)('reads the same through libvhdi, chain and all', () =>
    inTempFolder(async (folder) => {
      const raw = path.join(folder, 'raw.img');
      const layers = ['base.img', 'middle.img', 'top.img'].map((name) => path.join(folder, name));
      await rawImage(raw);
      let parent: string | undefined;
      for (const [index, layer] of layers.entries()) {
        await createKind(kind, layer, SIZE, parent);
        // libvhdi 20210425 reads zeros for the parent's sectors that share a byte of the bitmap with sectors of
        // the child before them; eight sectors make a byte.
        await writeBoth(layer, raw, 20 + index, 8 * kind.sectorSize);
        parent = layer;
      }
      await withMounted(layers[2] ?? '', folder, async (mounted) => {
        expect(mounted).toHaveLength(3);
        // What libvhdi gives of a VHD's child depends on the size of the reads: small ones (cmp's, dd's) mix up the
        // layers. Reads of half a mebibyte are right.
        const [wanted, seen] = [await readFile(raw), await readFile(mounted[2] ?? '')];
        expect(seen.equals(wanted)).toBe(true);
      });
    }),
  );
});
