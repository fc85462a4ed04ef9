import path from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KIB, MIB } from './bytes/integers.js';
import type { Disk } from './disk.js';
import { openDisk } from './open.js';
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
  | { readonly do: 'flush' | 'reopen' | 'child' }
  | { readonly do: 'grow'; readonly sectors: number };

const place = fc.integer({ min: 0, max: 999_999 });
const length = fc.oneof(
  fc.integer({ min: 1, max: 5000 }),
  fc.integer({ min: 1, max: 3 * MIB }),
  fc.constant(MIB),
);
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
  { weight: 2, arbitrary: fc.record({ do: fc.constant('zero' as const), at: place, length }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('together' as const),
      count: fc.integer({ min: 2, max: 12 }),
      seed,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('flush' as const, 'reopen' as const, 'child' as const) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('grow' as const), sectors: fc.integer({ min: 1, max: 400 }) }),
  },
);

/** A disk and what it should hold. */
class Pair {
  readonly #kind: DiskKind;
  readonly #folder: string;
  #file: string;
  #children = 0;
  #disk: Disk;
  model: Buffer;

  constructor(kind: DiskKind, folder: string, file: string, disk: Disk) {
    this.#kind = kind;
    this.#folder = folder;
    this.#file = file;
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
      case 'flush':
        await this.#disk.flush();
        break;
      case 'reopen':
        await this.#disk.close();
        this.#disk = await openDisk(this.#file, besideChild);
        break;
      case 'child':
        await this.#addChild();
        break;
      case 'grow':
        await this.#grow(one.sectors * this.#kind.sectorSize * 13);
    }
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
    if (this.#kind.type !== 'differencing' || this.#children > 3) return;
    await this.#disk.close();
    this.#children += 1;
    const child = path.join(this.#folder, `child${this.#children}.disk`);
    await createKind(this.#kind, child, 0, this.#file);
    this.#file = child;
    this.#disk = await openDisk(child, besideChild);
  }

  async #grow(bytes: number): Promise<void> {
    if (this.#kind.format === 'vhd' && this.#disk.type === 'differencing') return;
    await this.#disk.resize(this.model.length + bytes);
    this.model = Buffer.concat([this.model, Buffer.alloc(bytes)]);
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
