import { copyFile, stat, truncate } from 'node:fs/promises';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { newGuid } from '../bytes/guid.js';
import { GIB, KIB, MIB, TIB } from '../bytes/integers.js';
import type { RandomAccessFile } from '../io/random-access-file.js';
import { openFile } from '../io/random-access-file.js';
import { openDisk, openDiskFile } from '../open.js';
import { besideChild, createKind, DISK_KINDS, readFileOfDisk } from '../test-support/disk-kinds.js';
import { MemoryFile } from '../test-support/memory-file.js';
import { Random } from '../test-support/random.js';
import { inTempFolder } from '../test-support/temp-folder.js';
import { createVhd } from '../vhd/create.js';
import { createVhdx } from '../vhdx/create.js';
import { readCurrentHeader, updateHeaders } from '../vhdx/header.js';
import { encodeRegionTable, METADATA_REGION, BAT_REGION } from '../vhdx/region-table.js';
import { checkDisk } from './check-disk.js';
import type { CheckReport } from './report.js';

const VHDX_BAT = 3 * MIB;
const VHD_TABLE = 1536;

type Change = (file: RandomAccessFile) => Promise<unknown>;

/** A disk of the format with blocks 1 and 5 written, then changed behind its back. */
async function damaged(
  folder: string,
  format: 'vhd' | 'vhdx',
  type: 'dynamic' | 'fixed' | 'differencing',
  change: Change,
): Promise<string> {
  const [base, file] = [path.join(folder, `base.${format}`), path.join(folder, `disk.${format}`)];
  const create = format === 'vhd' ? createVhd : createVhdx;
  const blockSize = format === 'vhd' ? 512 * KIB : MIB;
  if (type === 'differencing') {
    await create({ path: base, type: 'dynamic', virtualSize: 16 * MIB, blockSize });
    const parent = { path: base, locators: { relativePath: `.\\base.${format}` } };
    await create({ path: file, type, blockSize, parent });
  } else
    await create({ path: file, type, virtualSize: 16 * MIB, ...(type === 'fixed' ? {} : { blockSize }) });
  const disk = await openDisk(file, besideChild);
  for (const block of [1, 5]) await disk.write(new Random(block).bytes(4096), block * blockSize);
  await disk.close();
  const real = await openFile(file, 'write');
  await change(real);
  await real.close();
  return file;
}

function entry(mebibytes: number, state: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE((BigInt(mebibytes) << 20n) | BigInt(state));
  return bytes;
}

function sector(number: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(number);
  return bytes;
}

const nothing: Change = () => Promise.resolve();

const codes = (report: CheckReport): string[] => report.findings.map(({ code }) => code);

describe.each(DISK_KINDS)('a sound $name', (kind) => {
  it('has nothing wrong with it, whether empty, written or grown', () =>
    inTempFolder(async (folder) => {
      const [base, file] = [path.join(folder, 'base.img'), path.join(folder, 'disk.img')];
      await createKind(kind, base, 8 * MIB);
      await createKind(kind, file, 8 * MIB, kind.type === 'differencing' ? base : undefined);
      const fine = { whole: true, needsReplay: false, findings: [], leakedBytes: 0 };
      expect(await checkDisk(file, besideChild)).toMatchObject({ ...fine, type: kind.type });
      const disk = await openDisk(file, besideChild);
      await disk.write(Buffer.alloc(3 * MIB, 1), MIB + 512);
      if (kind.name !== 'VHD differencing') await disk.resize(9 * MIB);
      await disk.close();
      const report = await checkDisk(file, besideChild);
      expect(report).toMatchObject({
        ...fine,
        virtualSize: kind.name === 'VHD differencing' ? 8 * MIB : 9 * MIB,
      });
      expect(report.parent?.whole).toBe(kind.type === 'differencing' ? true : undefined);
      expect(JSON.parse(JSON.stringify(report))).toEqual(report);
    }));
});

describe('what is wrong with a VHDX is told with its place', () => {
  const cases: readonly (readonly [
    string,
    'dynamic' | 'fixed' | 'differencing',
    Change,
    readonly object[],
  ])[] = [
    [
      'a damaged header',
      'dynamic',
      (file) => file.write(Buffer.from([1]), 64 * KIB + 100),
      [{ code: 'header-damaged', severity: 'warning', offset: 64 * KIB }],
    ],
    [
      'both headers damaged',
      'dynamic',
      async (file) => {
        for (const at of [64 * KIB, 128 * KIB]) await file.write(Buffer.from([1]), at);
      },
      [{ code: 'header-damaged', severity: 'error' }],
    ],
    [
      'a lost file identifier',
      'dynamic',
      (file) => file.write(Buffer.alloc(8), 0),
      [{ code: 'file-identifier-damaged', severity: 'error', offset: 0 }],
    ],
    [
      'a log that is not there',
      'dynamic',
      async (file) => updateHeaders(file, await readCurrentHeader(file), { logGuid: newGuid() }),
      [{ code: 'log-damaged', severity: 'error', offset: MIB }],
    ],
    [
      'a damaged region table',
      'dynamic',
      (file) => file.write(Buffer.from([1]), 256 * KIB + 1000),
      [{ code: 'region-table-damaged', severity: 'warning', offset: 256 * KIB }],
    ],
    [
      'regions that overlap and that nobody knows',
      'dynamic',
      async (file) => {
        const table = encodeRegionTable([
          { guid: BAT_REGION, offset: VHDX_BAT, length: MIB, required: true },
          { guid: METADATA_REGION, offset: 2 * MIB, length: 2 * MIB, required: true },
          { guid: newGuid(), offset: 100 * MIB, length: MIB, required: true },
        ]);
        for (const at of [192 * KIB, 256 * KIB]) await file.write(table, at);
      },
      [
        { code: 'unsupported', offset: 192 * KIB },
        { code: 'region-table-damaged', offset: 192 * KIB },
        { code: 'file-cut-short', offset: 100 * MIB },
      ],
    ],
    [
      'several metadata items',
      'dynamic',
      async (file) => {
        // The offsets of the first item and of the third.
        for (const item of [0, 2])
          await file.write(Buffer.from('ffffff7f', 'hex'), 2 * MIB + 32 + item * 32 + 16);
      },
      [
        { code: 'metadata-damaged', offset: 2 * MIB + 32 },
        { code: 'metadata-damaged', offset: 2 * MIB + 96 },
        { code: 'metadata-damaged', message: 'the metadata item fileParameters is missing' },
      ],
    ],
    [
      'blocks of no state, past the end, on another, on the metadata and on a log',
      'dynamic',
      async (file) => {
        for (const [block, [place, state]] of [
          [4, 5],
          [9000, 6],
          [4, 6],
          [2, 6],
          [1, 6],
        ].entries())
          await file.write(entry(place ?? 0, state ?? 0), VHDX_BAT + (8 + block) * 8);
      },
      [
        { code: 'block-state', block: 8, offset: VHDX_BAT + 64 },
        { code: 'block-outside-file', block: 9, offset: VHDX_BAT + 72 },
        {
          code: 'block-overlap',
          block: 10,
          message: 'the block lies at 4194304, where block 1 lies already',
        },
        { code: 'block-overlap', block: 11, message: expect.stringContaining('the metadata region') },
        { code: 'block-overlap', block: 12, message: expect.stringContaining('the log') },
      ],
    ],
    [
      'a partial block without a parent',
      'dynamic',
      async (file) => {
        await file.write(entry(4, 7), VHDX_BAT + 8);
      },
      [{ code: 'block-state', block: 1 }],
    ],
    [
      'a partial block without a bitmap',
      'differencing',
      (file) => file.write(entry(0, 0), VHDX_BAT + 4096 * 8),
      [{ code: 'bitmap-missing', block: 1, offset: VHDX_BAT + 8 }],
    ],
    [
      'a bitmap on a block, and one of no state',
      'differencing',
      (file) => file.write(entry(4, 6), VHDX_BAT + 4096 * 8),
      [
        {
          code: 'block-overlap',
          message: 'the sector bitmap of chunk 0 lies at 4194304, where block 1 lies already',
        },
      ],
    ],
    [
      'a fixed disk with a hole',
      'fixed',
      (file) => file.write(entry(0, 0), VHDX_BAT),
      [{ code: 'block-missing', severity: 'warning' }],
    ],
    ['a cut', 'dynamic', (file) => file.truncate(5 * MIB), [{ code: 'block-outside-file', block: 5 }]],
    [
      'a cut in the table',
      'dynamic',
      (file) => file.truncate(3.5 * MIB),
      [
        { code: 'file-cut-short', offset: VHDX_BAT },
        { code: 'block-outside-file' },
        { code: 'block-outside-file' },
      ],
    ],
  ];
  it.each(cases)('%s', (_what, type, change, wanted) =>
    inTempFolder(async (folder) => {
      const report = await checkDisk(await damaged(folder, 'vhdx', type, change));
      expect(report.findings).toEqual(wanted.map((each) => expect.objectContaining(each)));
      expect(report.whole).toBe(report.findings.every(({ severity }) => severity === 'warning'));
    }),
  );
});

describe('what is wrong with a VHD is told with its place', () => {
  const cases: readonly (readonly [
    string,
    'dynamic' | 'fixed' | 'differencing',
    Change,
    readonly object[],
  ])[] = [
    [
      'a lost footer',
      'dynamic',
      async (file) => file.truncate((await file.size()) - 512),
      [{ code: 'footer-damaged', severity: 'error' }],
    ],
    [
      'a damaged copy of the footer',
      'dynamic',
      (file) => file.write(Buffer.from([1]), 100),
      [{ code: 'footer-copy-damaged', severity: 'warning', offset: 0 }],
    ],
    [
      'a damaged header',
      'dynamic',
      (file) => file.write(Buffer.from([1]), 700),
      [{ code: 'dynamic-header-damaged', severity: 'error', offset: 512 }],
    ],
    [
      'blocks past the end, on another, on the structures',
      'dynamic',
      async (file) => {
        const first = Buffer.alloc(4);
        await file.read(first, VHD_TABLE + 4);
        await file.write(sector(0x7fffffff), VHD_TABLE + 8 * 4);
        await file.write(first, VHD_TABLE + 9 * 4);
        await file.write(sector(first.readUInt32BE() + 1), VHD_TABLE + 10 * 4);
        await file.write(sector(2), VHD_TABLE + 11 * 4);
      },
      [
        { code: 'block-outside-file', block: 8, offset: VHD_TABLE + 32 },
        {
          code: 'block-overlap',
          block: 11,
          message: 'the block lies at 1024, where the dynamic disk header lies already',
        },
        {
          code: 'block-overlap',
          message: 'the block allocation table lies at 1536, where block 11 lies already',
        },
        { code: 'block-overlap', block: 1 },
        { code: 'block-overlap', block: 9 },
        { code: 'block-overlap', block: 10 },
      ],
    ],
    [
      'a fixed disk that was cut',
      'fixed',
      async (file) => {
        const footer = Buffer.alloc(512);
        await file.read(footer, 16 * MIB);
        await file.write(footer, 8 * MIB);
        await file.truncate(8 * MIB + 512);
      },
      [{ code: 'file-cut-short', severity: 'error' }],
    ],
    [
      'a cut',
      'dynamic',
      (file) => file.truncate(700 * KIB),
      [{ code: 'block-outside-file', block: 5 }, { code: 'footer-damaged' }],
    ],
  ];
  it.each(cases)('%s', (_what, type, change, wanted) =>
    inTempFolder(async (folder) => {
      const report = await checkDisk(await damaged(folder, 'vhd', type, change));
      expect(report.findings).toEqual(wanted.map((each) => expect.objectContaining(each)));
      expect(report.whole).toBe(report.findings.every(({ severity }) => severity === 'warning'));
    }),
  );
});

describe('a repair', () => {
  const cases: readonly (readonly [string, 'vhd' | 'vhdx', Change])[] = [
    ['footer-rewritten', 'vhd', async (file) => file.truncate((await file.size()) - 512)],
    ['footer-rewritten', 'vhd', async (file) => file.truncate((await file.size()) - 300)],
    ['footer-rewritten', 'vhd', async (file) => file.write(Buffer.from([1]), (await file.size()) - 400)],
    ['footer-copy-rewritten', 'vhd', (file) => file.write(Buffer.alloc(512), 0)],
    ['header-rewritten', 'vhdx', (file) => file.write(Buffer.from([1]), 64 * KIB + 100)],
    ['header-rewritten', 'vhdx', (file) => file.write(Buffer.from([1]), 128 * KIB + 100)],
    ['region-table-rewritten', 'vhdx', (file) => file.write(Buffer.from([1]), 192 * KIB + 100)],
    ['region-table-rewritten', 'vhdx', (file) => file.write(Buffer.alloc(64 * KIB), 256 * KIB)],
  ];
  it.each(cases)('%s: puts a %s right and keeps the content', (name, format, change) =>
    inTempFolder(async (folder) => {
      const file = await damaged(folder, format, 'dynamic', nothing);
      const wanted = await readFileOfDisk(file);
      const real = await openFile(file, 'write');
      await change(real);
      await real.close();
      expect((await checkDisk(file)).findings).toHaveLength(1);
      expect(await checkDisk(file, { repair: true })).toMatchObject({
        whole: true,
        findings: [],
        repairs: [name],
        leakedBytes: 0,
      });
      expect(await checkDisk(file, { repair: true })).toMatchObject({ repairs: [] });
      expect((await readFileOfDisk(file)).equals(wanted)).toBe(true);
    }),
  );

  it('replays a log', () =>
    inTempFolder(async (folder) => {
      const file = await damaged(folder, 'vhdx', 'dynamic', nothing);
      const memory = await MemoryFile.load(file);
      const disk = await openDiskFile(memory);
      await disk.write(new Random(9).bytes(4096), 7 * MIB);
      const real = await openFile(file, 'write');
      for (const operation of memory.operations) {
        if (operation.kind === 'write') await real.write(operation.bytes, operation.offset);
        if (operation.kind === 'truncate') await real.truncate(operation.size);
      }
      await real.close();
      await disk.close();
      const before = await checkDisk(file);
      expect(before).toMatchObject({ whole: true, needsReplay: true, allocatedBlocks: 3 });
      expect(codes(before)).toEqual(['log-not-empty']);
      expect(await checkDisk(file, { repair: true })).toMatchObject({
        whole: true,
        needsReplay: false,
        findings: [],
        allocatedBlocks: 3,
        repairs: ['log-replayed'],
      });
      expect((await readFileOfDisk(file)).subarray(7 * MIB, 7 * MIB + 4096)).toEqual(
        new Random(9).bytes(4096),
      );
    }));

  it('does not touch what it cannot put right', () =>
    inTempFolder(async (folder) => {
      for (const [format, cut] of [
        ['vhd', 700 * KIB],
        ['vhdx', 5 * MIB],
      ] as const) {
        const file = await damaged(folder, format, 'dynamic', (real) => real.truncate(cut));
        const { mtimeMs } = await stat(file);
        expect(await checkDisk(file, { repair: true })).toMatchObject({ whole: false, repairs: [] });
        expect((await stat(file)).mtimeMs).toBe(mtimeMs);
      }
    }));
});

describe('the chain', () => {
  it.each(['vhd', 'vhdx'] as const)('of a %s is looked at when the caller says where it is', (format) =>
    inTempFolder(async (folder) => {
      const file = await damaged(folder, format, 'differencing', () => Promise.resolve());
      expect(await checkDisk(file)).toMatchObject({ whole: true, findings: [] });
      const base = path.join(folder, `base.${format}`);
      expect(await checkDisk(file, besideChild)).toMatchObject({
        whole: true,
        parent: { path: base, whole: true },
      });
      expect(codes(await checkDisk(file, { resolveParent: () => `${base}.none` }))).toEqual([
        'parent-missing',
      ]);
      expect(codes(await checkDisk(file, { resolveParent: () => undefined }))).toEqual(['parent-missing']);
      expect(codes(await checkDisk(file, { resolveParent: () => file }))).toEqual(['chain-too-long']);
      const other = path.join(folder, 'other.img');
      await createKind(DISK_KINDS[format === 'vhd' ? 1 : 4] ?? expect.fail(), other, 16 * MIB);
      expect(codes(await checkDisk(file, { resolveParent: () => other }))).toEqual(['parent-mismatch']);
      await truncate(base, 3 * MIB);
      const report = await checkDisk(file, besideChild);
      expect(codes(report)).toContain('parent-damaged');
      expect(report).toMatchObject({ whole: false, parent: { whole: false } });
    }),
  );

  it('ends, though each of its files names another as its parent', () =>
    inTempFolder(async (folder) => {
      const file = await damaged(folder, 'vhdx', 'differencing', () => Promise.resolve());
      let copies = 0;
      const resolveParent = (): string => path.join(folder, `${(copies += 1)}.vhdx`);
      for (let count = 1; count < 140; count += 1) await copyFile(file, path.join(folder, `${count}.vhdx`));
      const report = await checkDisk(file, { resolveParent });
      expect(report.whole).toBe(false);
      expect(copies).toBeLessThan(130);
    }));
});

describe('a check', () => {
  it('tells what is no disk, and throws when there is no file', () =>
    inTempFolder(async (folder) => {
      const file = path.join(folder, 'any');
      const real = await openFile(file, 'create');
      await real.write(Buffer.from('KDMV'), 0);
      await real.close();
      expect(await checkDisk(file)).toMatchObject({ whole: false, findings: [{ code: 'unknown-format' }] });
      await expect(checkDisk(`${file}.none`)).rejects.toMatchObject({ code: 'ENOENT' });
    }));

  it('takes seconds and little memory for 64 TiB with every block of its table wrong, and can be stopped', () =>
    inTempFolder(async (folder) => {
      const file = path.join(folder, 'large.vhdx');
      await createVhdx({ path: file, type: 'dynamic', virtualSize: 64 * TIB, blockSize: 32 * MIB });
      const real = await openFile(file, 'write');
      const piece = Buffer.alloc(MIB);
      for (let at = 0; at < piece.length; at += 8) entry(2, 6).copy(piece, at);
      for (let at = 0; at < 16; at += 1) await real.write(piece, VHDX_BAT + at * MIB);
      await real.truncate(64 * GIB);
      await real.close();
      const seen: number[] = [];
      const report = await checkDisk(file, { onProgress: ({ done }) => seen.push(done) });
      expect(report.findings).toHaveLength(1000);
      expect(report.findingsLeftOut).toBeGreaterThan(2 ** 21 - 1000);
      expect(seen.length).toBeGreaterThan(10);
      expect(seen.at(-1)).toBe((2 * 2 ** 20 + 2 ** 14 - 1) * 8);
      const stop = new AbortController();
      await expect(
        checkDisk(file, { signal: stop.signal, onProgress: () => stop.abort() }),
      ).rejects.toMatchObject({ code: 'VHD_ABORTED' });
    }));
});
