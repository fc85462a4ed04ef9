import path from 'node:path';
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { KIB, MIB } from './bytes/integers.js';
import { VhdError } from './errors.js';
import { inspect } from './inspect.js';
import { recogniseFile } from './recognise.js';
import { createKind, DISK_KINDS } from './test-support/disk-kinds.js';
import { inTempFolder } from './test-support/temp-folder.js';

describe('a file that is cut short', () => {
  it.each(DISK_KINDS.filter((kind) => kind.type !== 'differencing'))('is told from a whole $name', (kind) =>
    inTempFolder(async (folder) => {
      const file = path.join(folder, 'disk.img');
      await createKind(kind, file, 4 * MIB);
      const bytes = await readFile(file);
      for (const length of [0, 1, 511, 512, 1023, 1535, 64 * KIB, 200 * KIB, 2 * MIB + 70 * KIB]) {
        if (length >= bytes.length - 511) continue;
        await writeFile(file, bytes.subarray(0, length));
        // A sparse VHD whose header and table are there reads on from the copy of its footer.
        if (kind.name === 'VHD dynamic' && length >= 1536) continue;
        await expect(inspect(file), `${length} bytes`).rejects.toBeInstanceOf(VhdError);
      }
    }),
  );
});

describe('recogniseFile', () => {
  it('tells files by their content', () =>
    inTempFolder(async (folder) => {
      const file = path.join(folder, 'any.vhdx');
      const cases = [
        { bytes: Buffer.from('QFI\u00fb\0\0\0\u0003', 'latin1'), format: 'qcow2' },
        { bytes: Buffer.from('KDMV', 'latin1'), format: 'vmdk' },
        { bytes: Buffer.concat([Buffer.alloc(64), Buffer.from('7f10dabe', 'hex')]), format: 'vdi' },
        { bytes: Buffer.concat([Buffer.alloc(32769), Buffer.from('CD001')]), format: 'iso' },
        { bytes: Buffer.from('nothing in particular'), format: 'raw' },
        { bytes: Buffer.alloc(0), format: 'raw' },
      ];
      for (const { bytes, format } of cases) {
        await writeFile(file, bytes);
        expect(await recogniseFile(file)).toEqual({ format });
        const what = format === 'raw' ? /nor anything else/ : new RegExp(`a ${format.toUpperCase()} file`);
        await expect(inspect(file)).rejects.toThrow(what);
      }
    }));

  it.each(DISK_KINDS.filter((kind) => kind.type !== 'differencing'))('knows a $name', (kind) =>
    inTempFolder(async (folder) => {
      const file = path.join(folder, 'disk.iso');
      await createKind(kind, file, 4 * MIB);
      const wanted = kind.format === 'vhd' ? { format: 'vhd', type: kind.type } : { format: 'vhdx' };
      expect(await recogniseFile(file)).toEqual(wanted);
    }),
  );

  it('knows a fixed VHD by its footer whatever is in it, and an old footer of 511 bytes', () =>
    inTempFolder(async (folder) => {
      const file = path.join(folder, 'disk.img');
      const kind = DISK_KINDS.find((each) => each.name === 'VHD fixed');
      if (kind === undefined) throw new Error('no such kind');
      await createKind(kind, file, MIB);
      const bytes = await readFile(file);
      bytes.write('CD001', 32769);
      await writeFile(file, bytes);
      expect(await recogniseFile(file)).toEqual({ format: 'vhd', type: 'fixed' });
      await truncate(file, MIB + 511);
      expect(await recogniseFile(file)).toEqual({ format: 'vhd', type: 'fixed' });
      expect((await inspect(file)).virtualSize).toBe(MIB);
    }));
});
