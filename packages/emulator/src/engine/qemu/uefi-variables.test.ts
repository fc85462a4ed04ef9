import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { emptyStore } from '../testing/variable-store.js';
import { VariableStoreError, readVariables, writeVariables } from './uefi-variables.js';
import type { UefiVariable } from './uefi-variables.js';

const variable = (fields: Partial<UefiVariable> = {}): UefiVariable => ({
  vendor: '8be4df61-93ca-11d2-aa0d-00e098032b8c',
  name: 'Boot0000',
  attributes: 7,
  authentication: Buffer.alloc(28, 1),
  data: Buffer.from('abc'),
  ...fields,
});
const RECORD = 72 + 28;

describe('the store of UEFI variables', () => {
  it('gives back what was written, whatever it is', () => {
    const variables = fc.uniqueArray(
      fc.record({
        vendor: fc.uuid(),
        name: fc.string({ minLength: 1, maxLength: 20 }).filter((name) => !name.includes('\0')),
        attributes: fc.nat(),
        authentication: fc.uint8Array({ minLength: 28, maxLength: 28 }).map((bytes) => Buffer.from(bytes)),
        data: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
      }),
      { maxLength: 12, selector: ({ vendor, name }) => `${vendor} ${name}` },
    );
    fc.assert(
      fc.property(variables, (wanted) => {
        const image = writeVariables(emptyStore(), wanted);
        expect(readVariables(image)).toEqual(wanted);
        expect(image.subarray(0, RECORD)).toEqual(emptyStore().subarray(0, RECORD));
      }),
    );
  });

  it('keeps the old value of a variable only while the new one is not written', () => {
    const image = writeVariables(emptyStore(), [
      variable(),
      variable({ name: 'other', data: Buffer.from('def') }),
    ]);
    const [first, second] = [RECORD + 2, image.indexOf('other', 0, 'utf16le') - 58];
    image[first] = 0x3e;
    expect(readVariables(image).map(({ name }) => name)).toEqual(['Boot0000', 'other']);
    const twice = writeVariables(emptyStore(), [variable(), variable({ data: Buffer.from('new') })]);
    twice[first] = 0x3e;
    expect(readVariables(twice)).toEqual([variable({ data: Buffer.from('new') })]);
    image[first] = 0x3c;
    image[second] = 0x7f;
    expect(readVariables(image)).toEqual([]);
  });

  it.each<readonly [string, (image: Buffer) => Buffer]>([
    ['is empty', () => Buffer.alloc(0)],
    ['is of zeros', () => Buffer.alloc(4096)],
    ['has no volume', (image) => Buffer.concat([Buffer.alloc(48), image.subarray(48)])],
    ['is cut short', (image) => image.subarray(0, 200)],
    [
      'has a variable that is too long',
      (image) => {
        image.writeUInt32LE(0xffff_fff0, RECORD + 40);
        return image;
      },
    ],
  ])('refuses an image that %s', (_what, damage) => {
    const image = damage(writeVariables(emptyStore(), [variable()]));
    expect(() => readVariables(image)).toThrow(VariableStoreError);
  });

  it('refuses more than it has room for', () => {
    const data = Buffer.alloc(emptyStore().length);
    expect(() => writeVariables(emptyStore(), [variable({ data })])).toThrow(/do not fit/);
  });

  it('never fails otherwise, whatever is in the image', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), fc.nat({ max: 4000 }), (noise, at) => {
        const image = writeVariables(emptyStore(), [variable(), variable({ name: 'other' })]);
        Buffer.from(noise).copy(image, at);
        try {
          readVariables(image);
        } catch (error) {
          expect(error).toBeInstanceOf(VariableStoreError);
        }
      }),
    );
  });
});
