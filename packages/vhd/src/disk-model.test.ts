import { rename } from 'node:fs/promises';
import path from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KIB, MIB } from './bytes/integers.js';
import { compactDisk } from './compact.js';
import { convertDisk } from './convert.js';
import type { Disk } from './disk.js';
import { mergeDisk } from './merge.js';
import { openDisk } from './open.js';
import { setParent } from './set-parent.js';
import { flattenedExtents } from './segments.js';
import { besideChild, createKind, DISK_KINDS, readAll } from './test-support/disk-kinds.js';
import type { DiskKind } from './test-support/disk-kinds.js';
import { Random } from './test-support/random.js';
import { inTempFolder } from './test-support/temp-folder.js';

/** Something done to a disk. Positions are parts of a million of the disk's size. */
type Step =
  | {
      readonly do: 'write';
      readonly at: number;
      readonly length: number;
      readonly seed: number;
      readonly aligned: boolean;
    }
  | { readonly do: 'zero'; readonly at: number; readonly length: number }
  | { readonly do: 'together'; readonly count: number; readonly seed: number }
  | { readonly do: 'discard'; readonly at: number; readonly length: number }
  | { readonly do: 'flush' | 'reopen' | 'child' | 'compact' | 'merge' | 'reconnect' }
  | { readonly do: 'convert'; readonly format: 'vhd' | 'vhdx' }
  | { readonly do: 'grow' | 'shrink'; readonly sectors: number };

const place = fc.integer({ min: 0, max: 999_999 });
const length = fc.oneof(
  fc.integer({ min: 1, max: 5000 }),
  fc.integer({ min: 1, max: 3 * MIB }),
  fc.constant(MIB),
);
const longLength = fc.oneof(length, fc.constant(6 * MIB));
const seed = fc.integer({ min: 1, max: 1e9 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      at: place,
      length,
      seed,
      aligned: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constantFrom('zero', 'discard'), at: place, length: longLength }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('together' as const),
      count: fc.integer({ min: 2, max: 12 }),
      seed,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('flush', 'reopen', 'child', 'compact', 'merge', 'reconnect'),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('convert'), format: fc.constantFrom('vhd', 'vhdx') }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('grow', 'shrink'),
      sectors: fc.integer({ min: 1, max: 400 }),
    }),
  },
);

/** A disk and what it should hold. */
class Pair {
  #kind: DiskKind;
  readonly #folder: string;
  /** From the base to the disk itself. */
  #files: string[];
  #made = 0;
  #disk: Disk;
  model: Buffer;

  constructor(kind: DiskKind, folder: string, file: string, disk: Disk) {
    this.#kind = kind;
    this.#folder = folder;
    this.#files = [file];
    this.#disk = disk;
    this.model = Buffer.alloc(disk.virtualSize);
  }

  async run(one: Step): Promise<void> {
    switch (one.do) {
      case 'write': {
        const [offset, count] = this.#range(one.at, one.length, one.aligned);
        await this.#write(offset, new Random(one.seed).bytes(count));
        break;
      }
      case 'zero': {
        const [offset, count] = this.#range(one.at, one.length, false);
        await this.#disk.writeZeroes(offset, count);
        this.model.fill(0, offset, offset + count);
        break;
      }
      case 'together':
        await this.#writeTogether(one.count, new Random(one.seed));
        break;
      case 'discard':
        await this.#discard(...this.#range(one.at, one.length, false));
        break;
      case 'flush':
        await this.#disk.flush();
        break;
      case 'reopen':
        await this.#whileClosed(() => Promise.resolve());
        break;
      case 'child':
        await this.#addChild();
        break;
      case 'compact':
        await this.#compact();
        break;
      case 'merge':
        await this.#merge();
        break;
      case 'reconnect':
        await this.#reconnect();
        break;
      case 'convert':
        await this.#convert(one.format);
        break;
      default:
        await this.#resize((one.do === 'grow' ? 13 : -7) * one.sectors * this.#kind.sectorSize);
    }
  }

  get #file(): string {
    return this.#files.at(-1) ?? '';
  }

  async #whileClosed(work: () => Promise<unknown>): Promise<void> {
    await this.#disk.close();
    await work();
    this.#disk = await openDisk(this.#file, besideChild);
  }

  /** What is discarded may be zeros or what it was; which, is settled from then on. */
  async #discard(offset: number, count: number): Promise<void> {
    await this.#disk.discard(offset, count);
    const actual = Buffer.alloc(count);
    await this.#disk.read(actual, offset);
    const before = this.model.subarray(offset, offset + count);
    expect(actual.every((byte, index) => byte === 0 || byte === before[index])).toBe(true);
    actual.copy(this.model, offset);
  }

  async #compact(): Promise<void> {
    if (this.#disk.type === 'fixed') return;
    await this.#whileClosed(async () => {
      const { before, after } = await compactDisk(this.#file);
      expect(after).toBeLessThanOrEqual(before);
      expect((await compactDisk(this.#file)).after).toBe(after);
    });
  }

  async #merge(): Promise<void> {
    const into = this.#files[Math.max(0, this.#files.length - 3)];
    const size = this.model.length;
    if (this.#files.length === 1 || into === undefined) return;
    await this.#whileClosed(async () => {
      await mergeDisk({ path: this.#file, ...besideChild }, { into, removeMerged: true });
      this.#files = this.#files.slice(0, this.#files.indexOf(into) + 1);
    });
    const actual = await readAll(this.#disk);
    expect(actual.subarray(0, size).equals(this.model)).toBe(true);
    // A parent that was larger than its child keeps its size, and what is there.
    this.model = actual;
  }

  /** The parent gets another name. */
  async #reconnect(): Promise<void> {
    const parent = this.#files.at(-2);
    if (parent === undefined) return;
    await this.#whileClosed(async () => {
      const moved = this.#newName();
      await rename(parent, moved);
      this.#files[this.#files.length - 2] = moved;
      await setParent(this.#file, moved);
    });
  }

  async #convert(format: 'vhd' | 'vhdx'): Promise<void> {
    if (this.#files.length > 1 || this.#kind.type === 'differencing' || this.model.length % 4096 !== 0)
      return;
    const kind = DISK_KINDS.find((each) => each.format === format && each.type === this.#kind.type);
    if (kind === undefined) return;
    await this.#whileClosed(async () => {
      const converted = this.#newName();
      const { blockSize, type } = kind;
      if (type === 'differencing') return;
      const form = { format, type, ...(blockSize === 0 ? {} : { blockSize }) };
      await convertDisk({ path: this.#file }, { path: converted, ...form });
      this.#files = [converted];
      this.#kind = kind;
    });
  }

  #newName(): string {
    this.#made += 1;
    return path.join(this.#folder, `made${this.#made}.disk`);
  }

  #range(at: number, wanted: number, aligned: boolean): [number, number] {
    const unit = aligned ? this.#kind.sectorSize : 1;
    const offset = Math.floor(((at / 1_000_000) * this.model.length) / unit) * unit;
    const count = Math.min(Math.ceil(wanted / unit) * unit, this.model.length - offset);
    return [offset, count];
  }

  async #write(offset: number, bytes: Buffer): Promise<void> {
    await this.#disk.write(bytes, offset);
    bytes.copy(this.model, offset);
  }

  /** Small writes into slots next to one another, all at once. */
  async #writeTogether(count: number, random: Random): Promise<void> {
    const slot = 1 + random.below(4000);
    const start = random.below(this.model.length - slot * count);
    const writes = Array.from({ length: count }, (_, index) => ({
      offset: start + index * slot,
      bytes: random.bytes(slot),
    }));
    await Promise.all(writes.map(({ offset, bytes }) => this.#write(offset, bytes)));
  }

  async #addChild(): Promise<void> {
    if (this.#kind.type !== 'differencing' || this.#files.length > 4) return;
    await this.#whileClosed(async () => {
      const child = this.#newName();
      await createKind(this.#kind, child, 0, this.#file);
      this.#files.push(child);
    });
  }

  async #resize(bytes: number): Promise<void> {
    const size = this.model.length + bytes;
    const isDifferencing = this.#disk.type === 'differencing';
    if (size < 64 * 1024 || (this.#kind.format === 'vhd' && (isDifferencing || bytes < 0))) return;
    if (bytes < 0)
      await expect(this.#disk.resize(size)).rejects.toMatchObject({ code: 'VHD_INVALID_ARGUMENT' });
    await this.#disk.resize(size, { force: true });
    this.model = Buffer.concat([this.model.subarray(0, size), Buffer.alloc(Math.max(0, bytes))]);
  }

  async check(): Promise<void> {
    expect(this.#disk.virtualSize).toBe(this.model.length);
    expect((await readAll(this.#disk)).equals(this.model)).toBe(true);
    let next = 0;
    for (const extent of await flattenedExtents(this.#disk, 0, this.#disk.virtualSize)) {
      expect(extent.offset).toBe(next);
      next += extent.length;
      if (extent.state === 'zero') {
        expect(this.model.subarray(extent.offset, next).every((byte) => byte === 0)).toBe(true);
      }
    }
    expect(next).toBe(this.model.length);
  }

  async finish(): Promise<void> {
    await this.run({ do: 'reopen' });
    await this.check();
  }

  close(): Promise<void> {
    return this.#disk.close();
  }
}

function runSteps(kind: DiskKind, steps: readonly Step[]): Promise<void> {
  return inTempFolder(async (folder) => {
    const file = path.join(folder, 'base.disk');
    await createKind(kind, file, 3 * MIB + 8 * KIB);
    const pair = new Pair(kind, folder, file, await openDisk(file));
    try {
      for (const one of steps) await pair.run(one);
      await pair.check();
      await pair.finish();
    } finally {
      await pair.close();
    }
  });
}

describe.each(DISK_KINDS)('$name', (kind) => {
  it('holds what was written, whatever the order of operations', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 20 }), (steps) => runSteps(kind, steps)),
      { numRuns: 15, interruptAfterTimeLimit: 15_000, markInterruptAsFailure: false },
    );
  });
});
