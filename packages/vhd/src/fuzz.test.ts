import fs from 'node:fs';
import { readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { KIB, MIB } from './bytes/integers.js';
import { checkDisk } from './check/check-disk.js';
import type { CheckReport } from './check/report.js';
import { compactDisk } from './compact.js';
import { convertDisk } from './convert.js';
import type { Disk, OpenOptions } from './disk.js';
import { VhdError } from './errors.js';
import { inspect } from './inspect.js';
import { mergeDisk } from './merge.js';
import { openDisk } from './open.js';
import { resizeDisk } from './resize.js';
import { setParent } from './set-parent.js';
import type { DiskKind } from './test-support/disk-kinds.js';
import { besideChild, createKind, DISK_KINDS } from './test-support/disk-kinds.js';
import { VHD_MUTATIONS, VHDX_MUTATIONS } from './test-support/mutate.js';
import { Random } from './test-support/random.js';
import { inTempFolder } from './test-support/temp-folder.js';
import { createVhd } from './vhd/create.js';
import { createVhdx } from './vhdx/create.js';

/** Damaged files of each kind; more on demand, and another seed. */
const RUNS = Number(process.env['VHD_FUZZ_RUNS'] ?? 25);
const SEED = Number(process.env['VHD_FUZZ_SEED'] ?? 17);
const SIZE = 8 * MIB;
/** Nothing that is done to a file of these sizes may take longer, however damaged it is. Milliseconds; CI is slow. */
const MOST_TIME = 10_000;
/** What may grow meanwhile: the log, the metadata and the pieces under way. */
const MOST_MEMORY = 512 * MIB;

/** Every file that is opened by anything in the library; the calls go through. */
const opening = vi.spyOn(fs, 'open');
const opened = (): string[] => opening.mock.calls.map(([file]) => String(file));
beforeEach(() => {
  opening.mockClear();
});
afterAll(() => {
  opening.mockRestore();
});

/** undefined = it went well; anything but a VhdError is a fault of the library. */
async function attempt(what: string, task: () => Promise<unknown>): Promise<VhdError | undefined> {
  const started = performance.now();
  try {
    await task();
    return undefined;
  } catch (error) {
    if (error instanceof VhdError) return error;
    throw new Error(`${what} failed with something else`, { cause: error });
  } finally {
    expect(performance.now() - started, `${what} took too long`).toBeLessThan(MOST_TIME);
  }
}

/** Reads it all when it is small, and asks for its extents in any case. */
async function readDisk(disk: Disk): Promise<void> {
  await disk.extents(0, Math.min(disk.virtualSize, 2 ** 40));
  if (disk.virtualSize <= 64 * MIB) await disk.read(Buffer.alloc(disk.virtualSize), 0);
  else await disk.read(Buffer.alloc(64 * KIB), disk.virtualSize - 64 * KIB);
}

async function withDisk(
  file: string,
  options: OpenOptions,
  use: (disk: Disk) => Promise<void>,
): Promise<void> {
  const disk = await openDisk(file, options);
  try {
    await use(disk);
  } finally {
    await disk.close();
  }
}

async function writeDisk(disk: Disk): Promise<void> {
  const length = Math.min(5000, disk.virtualSize);
  await disk.write(Buffer.alloc(length, 1), disk.virtualSize - length);
  await disk.write(Buffer.alloc(600, 2), Math.min(MIB + 100, disk.virtualSize - 600));
  await disk.writeZeroes(0, Math.min(3 * MIB, disk.virtualSize));
  await disk.flush();
  await disk.resize(disk.virtualSize + MIB);
}

/** Everything that can be done with a file, the looks before the changes. Gives what was answered, for the count. */
async function useAll(file: string): Promise<string> {
  await attempt('inspect', () => inspect(file));
  let report: CheckReport | undefined;
  expect(await attempt('check', async () => (report = await checkDisk(file, besideChild)))).toBeUndefined();
  const read = await attempt('read', () => withDisk(file, { ...besideChild, readOnly: true }, readDisk));
  // What the check calls whole can be read; what cannot be read, it does not call whole.
  if (report?.whole === true && !report.needsReplay && report.parent?.needsReplay !== true)
    expect(read?.message).toBeUndefined();
  const raw = `${file}.raw`;
  const signal = AbortSignal.timeout(MOST_TIME / 2);
  await attempt('convert', () =>
    convertDisk({ path: file, ...besideChild }, { path: raw, format: 'raw' }, { signal }),
  );
  await rm(raw, { force: true });
  await attempt('write', () => withDisk(file, besideChild, writeDisk));
  await change(file, signal);
  const before = report;
  await attempt('repair', async () => (report = await checkDisk(file, { ...besideChild, repair: true })));
  // Nothing that is done to a whole disk breaks it.
  if (before?.whole === true)
    expect(report?.findings.filter(({ severity }) => severity === 'error')).toEqual([]);
  return read?.code ?? 'fine';
}

/** Every operation that changes a disk; whether it can is the disk's to say. */
async function change(file: string, signal: AbortSignal): Promise<void> {
  const [target, base] = [`${file}.merged`, path.join(path.dirname(file), 'base.img')];
  await attempt('resize', () => resizeDisk(file, 6 * MIB, { ...besideChild, force: true, signal }));
  await attempt('compact', () => compactDisk(file, { ...besideChild, signal }));
  await attempt('set parent', () => setParent(file, base, { ...besideChild, ignoreMismatch: true }));
  await attempt('merge', () =>
    mergeDisk({ path: file, ...besideChild }, { newFile: { path: target, format: 'vhdx' } }, { signal }),
  );
  await rm(target, { force: true });
  await attempt('merge', () => mergeDisk({ path: file, ...besideChild }, {}, { signal }));
}

interface Template {
  readonly file: string;
  readonly bytes: Buffer;
  readonly base: string;
  readonly baseBytes: Buffer;
}

async function template(kind: DiskKind, folder: string): Promise<Template> {
  const [base, file] = [path.join(folder, 'base.img'), path.join(folder, 'disk.img')];
  await createKind(kind, base, SIZE);
  await createKind(kind, file, SIZE, kind.type === 'differencing' ? base : undefined);
  await withDisk(file, besideChild, async (disk) => {
    await disk.write(new Random(3).bytes(MIB), MIB + 512);
  });
  return { file, bytes: await readFile(file), base, baseBytes: await readFile(base) };
}

describe.each(DISK_KINDS)('a damaged $name', (kind) => {
  it(
    'gives typed errors in bounded time and memory, and no other file is touched',
    () =>
      inTempFolder(async (folder) => {
        const { file, bytes: whole, base, baseBytes } = await template(kind, folder);
        const mutations = kind.format === 'vhdx' ? VHDX_MUTATIONS : VHD_MUTATIONS;
        const seen = new Set<string>();
        const memory = process.memoryUsage().rss;
        for (let run = 0; run < RUNS; run += 1) {
          const random = new Random((SEED * 1000 + run) * 7919);
          const bytes = Buffer.from(whole);
          for (let count = 0; count <= random.below(3); count += 1)
            mutations[random.below(mutations.length)]?.(bytes, random);
          await writeFile(file, bytes);
          await writeFile(base, baseBytes);
          const fate = random.below(10);
          if (fate === 0) await truncate(file, random.below(bytes.length));
          if (fate === 1) await truncate(file, bytes.length + random.below(64 * MIB));
          try {
            seen.add(await useAll(file));
          } catch (error) {
            throw new Error(`${kind.name}, VHD_FUZZ_SEED=${SEED}, run ${run}`, { cause: error });
          }
        }
        expect(seen.size).toBeGreaterThan(1);
        expect(process.memoryUsage().rss - memory).toBeLessThan(MOST_MEMORY);
        expect(opened().length).toBeGreaterThan(RUNS);
        expect(opened().filter((each) => path.dirname(each) !== folder)).toEqual([]);
      }),
    RUNS * 2 * MOST_TIME,
  );
});

/** Paths that a stranger may put into a file to be served another. */
const HOSTILE = [
  '..\\..\\..\\..\\etc\\passwd',
  '/etc/passwd',
  '\\etc\\passwd',
  'C:\\..\\..\\etc\\passwd',
  '\\\\?\\Volume{00000000-0000-0000-0000-000000000000}\\etc\\passwd',
  '\\\\server\\share\\disk.vhdx',
  'file:///etc/passwd',
  '..',
  '.',
  'base.img\0/etc/passwd',
  'a'.repeat(5000),
  '\ud800',
] as const;

describe.each(['vhd', 'vhdx'] as const)('a %s whose locators are hostile', (format) => {
  it.each(HOSTILE.map((each) => [each.slice(0, 40), each] as const))(
    '%j leads to no file',
    (_name, hostile) =>
      inTempFolder(async (folder) => {
        const [base, child] = [path.join(folder, 'parent.img'), path.join(folder, 'child.img')];
        const create = format === 'vhd' ? createVhd : createVhdx;
        await create({ path: base, type: 'dynamic', virtualSize: SIZE });
        const locators = { relativePath: hostile, absoluteWin32Path: hostile };
        await create({ path: child, type: 'differencing', parent: { path: base, locators } });
        opening.mockClear();
        const target = path.join(folder, 'raw.img');
        const resolvers: readonly OpenOptions[] = [{}, { resolveParent: () => undefined }, besideChild];
        for (const options of resolvers) {
          const failures = [
            await attempt('open', () => withDisk(child, options, readDisk)),
            await attempt('convert', () =>
              convertDisk({ path: child, ...options }, { path: target, format: 'raw' }),
            ),
          ];
          for (const error of failures) expect(error?.code).toBe('VHD_PARENT_MISSING');
          const report = await checkDisk(child, options);
          const isLooked = options.resolveParent !== undefined;
          expect(report.findings.map(({ code }) => code)).toEqual(isLooked ? ['parent-missing'] : []);
          await inspect(child);
        }
        await expect(stat(target)).rejects.toMatchObject({ code: 'ENOENT' });
        expect(new Set(opened())).toEqual(new Set([child]));
      }),
  );
});
