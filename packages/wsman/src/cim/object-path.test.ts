import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadSchema } from '../schema/load-schema.js';
import {
  formatObjectPath,
  parseObjectPath,
  referenceEquals,
  referenceKey,
  referenceOf,
} from './object-path.js';
import type { CimReference } from './value.js';

const V2 = 'root/virtualization/v2';
const setting = (id: string): CimReference => ({
  kind: 'reference',
  namespace: V2,
  className: 'Msvm_StorageAllocationSettingData',
  keys: { InstanceID: id },
});

describe('object paths', () => {
  it('doubles backslashes and escapes quotes', () => {
    const path = formatObjectPath(setting(String.raw`Microsoft:4C0F\0\0\L"x`), { host: 'HV1' });
    expect(path).toBe(
      String.raw`\\HV1\root\virtualization\v2:Msvm_StorageAllocationSettingData.InstanceID="Microsoft:4C0F\\0\\0\\L\"x"`,
    );
    expect(parseObjectPath(path)).toEqual(setting(String.raw`Microsoft:4C0F\0\0\L"x`));
  });

  it('writes integer keys without quotes when the schema knows them', () => {
    const feature: CimReference = {
      kind: 'reference',
      namespace: 'root/cimv2',
      className: 'Win32_ServerFeature',
      keys: { ID: '57' },
    };
    expect(formatObjectPath(feature, { schema: loadSchema() })).toBe('Win32_ServerFeature.ID=57');
    expect(parseObjectPath('Win32_ServerFeature.ID=57').keys).toEqual({ ID: '57' });
  });

  it('reads singletons, classes, slashes and blanks', () => {
    expect(parseObjectPath('Win32_OperatingSystem=@').keys).toEqual({});
    expect(parseObjectPath('root/cimv2:Win32_Process')).toMatchObject({
      namespace: 'root/cimv2',
      className: 'Win32_Process',
    });
    expect(parseObjectPath('//./root/cimv2:A.K="v", L=\'w\'').keys).toEqual({ K: 'v', L: 'w' });
  });

  it.each([
    '',
    '.',
    'A.',
    'A.K',
    'A.K=',
    'A.K="x',
    'A.K=x',
    'A.K="x"y',
    '\\\\h\\ns:',
    'A B',
    'A.K="x",',
    'A.="x"',
  ])('refuses %j', (path) => {
    expect(() => parseObjectPath(path)).toThrow(expect.objectContaining({ code: 'WSMAN_OBJECT_PATH' }));
  });

  it('survives any key text', () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ unit: 'grapheme' }), (first, second) => {
        const reference: CimReference = {
          kind: 'reference',
          namespace: V2,
          className: 'Msvm_X',
          keys: { A: first, B: second },
        };
        expect(parseObjectPath(formatObjectPath(reference, { host: '.' }))).toEqual(reference);
        expect(parseObjectPath(formatObjectPath(reference), V2)).toEqual(reference);
      }),
    );
  });

  it('never hangs or crashes on rubbish', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          parseObjectPath(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 'WSMAN_OBJECT_PATH' });
        }
      }),
    );
  });
});

describe('equality of references', () => {
  it('ignores case, the order of keys and the host inside nested paths', () => {
    const a = parseObjectPath(String.raw`L.A="\\\\H1\\root\\cimv2:X.K=\"v\"",B="q"`, V2);
    const b = parseObjectPath(
      String.raw`l.b="Q",a="\\\\h2\\ROOT\\cimv2:x.k=\"V\""`,
      'Root/Virtualization/V2',
    );
    expect(referenceEquals(a, b)).toBe(true);
    expect(referenceKey(a)).toBe(referenceKey(b));
    expect(referenceEquals(setting('1'), setting('2'))).toBe(false);
  });

  it('builds references from instances, and none when a key is missing', () => {
    const schema = loadSchema();
    const instance = {
      namespace: V2,
      className: 'Msvm_ComputerSystem',
      properties: { Name: 'G', CreationClassName: 'C' },
    };
    expect(referenceOf(instance, schema)?.keys).toEqual({ CreationClassName: 'C', Name: 'G' });
    expect(referenceOf({ ...instance, properties: { Name: 'G' } }, schema)).toBeUndefined();
  });
});
