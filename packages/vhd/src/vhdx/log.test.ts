import { stat } from 'node:fs/promises';
import path from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newGuid } from '../bytes/guid.js';
import { GIB, MIB } from '../bytes/integers.js';
import { inspect } from '../inspect.js';
import { openFile } from '../io/random-access-file.js';
import { openDisk, openDiskFile } from '../open.js';
import { recoverDisk } from '../recover.js';
import { MemoryFile } from '../test-support/memory-file.js';
import { Random } from '../test-support/random.js';
import { inTempFolder } from '../test-support/temp-folder.js';
import { createVhdx, NEW_VHDX_LAYOUT } from './create.js';
import { readCurrentHeader, updateHeaders } from './header.js';
import type { LogChange } from './log-entry.js';
import { decodeLogEntry, encodeLogEntry, LOG_SECTOR } from './log-entry.js';

const change: fc.Arbitrary<LogChange> = fc.oneof(
  fc.record({
    kind: fc.constant('data' as const),
    fileOffset: fc.nat(1e6).map((sector) => sector * LOG_SECTOR),
    bytes: fc.uint8Array({ minLength: LOG_SECTOR, maxLength: LOG_SECTOR }).map((bytes) => Buffer.from(bytes)),
  }),
  fc.record({
    kind: fc.constant('zero' as const),
    fileOffset: fc.nat(1e6).map((sector) => sector * LOG_SECTOR),
    length: fc.nat(1000).map((sectors) => sectors * LOG_SECTOR),
  }),
);

describe('a log entry', () => {
  it('comes back as it was, and not at all when a bit of it is wrong', () => {
    fc.assert(
      fc.property(
        fc.array(change, { maxLength: 6 }),
        fc.bigInt(1n, 2n ** 63n),
        fc.nat(),
        (changes, sequence, at) => {
          const entry = {
            sequenceNumber: sequence,
            tail: 8192,
            logGuid: newGuid(),
            flushedFileOffset: 4 * MIB,
            lastFileOffset: 5 * MIB,
            changes,
          };
          const bytes = encodeLogEntry(entry);
          expect(bytes.length % LOG_SECTOR).toBe(0);
          expect(decodeLogEntry(bytes)).toEqual(entry);
          bytes.writeUInt8(bytes.readUInt8(at % bytes.length) ^ 1, at % bytes.length);
          expect(decodeLogEntry(bytes)).toBeUndefined();
        },
      ),
      { numRuns: 60 },
    );
  });
});

/** A dynamic disk on which a process was killed: two blocks written, grown, nothing flushed. */
async function killedDisk(folder: string): Promise<{ file: string; bytes: Buffer }> {
  const file = path.join(folder, 'disk.vhdx');
  await createVhdx({ path: file, type: 'dynamic', virtualSize: 8 * MIB, blockSize: MIB });
  const memory = await MemoryFile.load(file);
  const disk = await openDiskFile(memory);
  const bytes = new Random(5).bytes(MIB + 4096);
  await disk.write(bytes, MIB - 4096);
  await disk.resize(2 * GIB);
  const real = await openFile(file, 'write');
  for (const operation of memory.operations) {
    if (operation.kind === 'write') await real.write(operation.bytes, operation.offset);
    if (operation.kind === 'truncate') await real.truncate(operation.size);
  }
  await real.close();
  return { file, bytes };
}

describe('a VHDX whose process was killed', () => {
  it('is not opened read-only, is told right by inspect, and is whole once it was opened', () =>
    inTempFolder(async (folder) => {
      const { file, bytes } = await killedDisk(folder);
      await expect(openDisk(file, { readOnly: true })).rejects.toMatchObject({
        code: 'VHD_LOG_NEEDS_REPLAY',
        path: file,
      });
      const before = await stat(file);
      expect((await inspect(file)).virtualSize).toBe(2 * GIB);
      expect((await stat(file)).mtimeMs).toBe(before.mtimeMs);
      expect(await recoverDisk(file)).toBe(true);
      expect(await recoverDisk(file)).toBe(false);
      const disk = await openDisk(file, { readOnly: true });
      const read = Buffer.alloc(bytes.length);
      await disk.read(read, MIB - 4096);
      await disk.close();
      expect(disk.virtualSize).toBe(2 * GIB);
      expect(read.equals(bytes)).toBe(true);
    }));

  it('is refused when the file was cut since', () =>
    inTempFolder(async (folder) => {
      const { file } = await killedDisk(folder);
      const real = await openFile(file, 'write');
      await real.truncate(3 * MIB);
      await real.close();
      await expect(openDisk(file)).rejects.toMatchObject({ code: 'VHD_CORRUPT' });
    }));

  it('is refused when the header names a log and the log is empty', () =>
    inTempFolder(async (folder) => {
      const file = path.join(folder, 'disk.vhdx');
      await createVhdx({ path: file, type: 'dynamic', virtualSize: 8 * MIB });
      const real = await openFile(file, 'write');
      await updateHeaders(real, await readCurrentHeader(real), { logGuid: newGuid() });
      await real.close();
      await expect(openDisk(file)).rejects.toMatchObject({ code: 'VHD_CORRUPT', offset: MIB });
    }));
});

describe('the log of an open disk', () => {
  it('is used again and again, and is right whenever the process is killed', async () => {
    await inTempFolder(async (folder) => {
      const [base, file] = [path.join(folder, 'base.vhdx'), path.join(folder, 'child.vhdx')];
      await createVhdx({ path: base, type: 'dynamic', virtualSize: 64 * MIB });
      const parent = { path: base, locators: { relativePath: 'base.vhdx' } };
      await createVhdx({ path: file, type: 'differencing', parent });
      const memory = await MemoryFile.load(file);
      const open = { resolveParent: () => base };
      const disk = await openDiskFile(memory, open);
      const random = new Random(3);
      const model = Buffer.alloc(64 * MIB);
      // Each write is an entry of 8 KiB at least: the log of 1 MiB goes round more than twice.
      for (let count = 0; count < 300; count += 1) {
        const bytes = random.bytes(512);
        const offset = random.below(128 * 1024) * 512;
        await disk.write(bytes, offset);
        bytes.copy(model, offset);
      }
      const logged = memory.operations.filter(
        (each) =>
          each.kind === 'write' && each.offset >= MIB && each.offset < MIB + NEW_VHDX_LAYOUT.logLength,
      );
      expect(logged.length * 2 * LOG_SECTOR).toBeGreaterThan(2 * NEW_VHDX_LAYOUT.logLength);
      const again = await openDiskFile(new MemoryFile(file, memory), open);
      const read = Buffer.alloc(model.length);
      await again.read(read, 0);
      expect(read.equals(model)).toBe(true);
      await again.close();
      await disk.close();
    });
  });

  it('still holds what was flushed when its places did not reach the disk and a newer entry did', () =>
    inTempFolder(async (folder) => {
      const file = path.join(folder, 'disk.vhdx');
      await createVhdx({ path: file, type: 'dynamic', virtualSize: GIB, blockSize: MIB });
      const start = await MemoryFile.load(file);
      const live = new MemoryFile(file, start);
      const disk = await openDiskFile(live);
      const bytes = new Random(8).bytes(4096);
      await disk.write(bytes, 0);
      await disk.flush();
      // Its entry in the table lies in another sector than the first block's.
      await disk.write(bytes, 700 * MIB);
      // The power fails: of what was not synced only the log and the file's length are there.
      const lastSync = live.operations.findLastIndex((each) => each.kind === 'sync');
      const state = new MemoryFile(file, start);
      live.operations.forEach((each, index) => {
        const isLog = each.kind === 'write' && each.offset >= MIB && each.offset < 2 * MIB;
        if (index <= lastSync || isLog || each.kind === 'truncate') state.apply(each);
      });
      await disk.close();
      const again = await openDiskFile(state);
      const read = Buffer.alloc(bytes.length);
      await again.read(read, 0);
      await again.close();
      expect(read.equals(bytes)).toBe(true);
    }));

  it('changes the identifiers with the first write after an open, and only then', () =>
    inTempFolder(async (folder) => {
      const file = path.join(folder, 'disk.vhdx');
      await createVhdx({ path: file, type: 'dynamic', virtualSize: 8 * MIB });
      const first = await inspect(file);
      await (await openDisk(file)).close();
      expect(await inspect(file)).toEqual(first);
      const disk = await openDisk(file);
      await disk.write(Buffer.alloc(10, 1), 0);
      await disk.close();
      const second = await inspect(file);
      expect(second.identifier).toBe(first.identifier);
      expect(second.dataWriteIdentifier).not.toBe(first.dataWriteIdentifier);
    }));
});
