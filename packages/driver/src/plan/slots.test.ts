import { describe, expect, it } from 'vitest';
import { controllersOf, SlotAllocator } from './slots.js';

describe('SlotAllocator', () => {
  it('hands out each slot once and says when there is none left', () => {
    const ide = new SlotAllocator(controllersOf(1));
    expect([1, 2, 3, 4].map(() => ide.take('ide')).map(({ controller, slot }) => [controller, slot])).toEqual(
      [
        [0, 0],
        [0, 1],
        [1, 0],
        [1, 1],
      ],
    );
    expect(() => ide.take('ide')).toThrow(/no free IDE slot: 4/);
    const scsi = new SlotAllocator(controllersOf(2));
    for (let slot = 0; slot < 64; slot += 1) expect(scsi.take('scsi').slot).toBe(slot);
    expect(() => scsi.take('scsi')).toThrow(/no free SCSI slot/);
    expect(() => new SlotAllocator(controllersOf(2)).take('ide')).toThrow(/no free IDE slot: 0/);
  });
});
