import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadSchema } from '../schema/load-schema.js';
import type { PropertyDef } from '../schema/schema.js';
import { decodeCimXml } from './cim-xml-decode.js';
import { encodeCimXml } from './cim-xml-encode.js';
import { interval, parseIsoDateTime } from './datetime.js';
import { isIntegerType } from './numbers.js';
import type { CimInstance, CimScalar, CimValue } from './value.js';

const V2 = 'root/virtualization/v2';
const schema = loadSchema();
const options = { namespace: V2, schema };

function settings(
  properties: Record<string, CimValue>,
  className = 'Msvm_VirtualSystemSettingData',
): CimInstance {
  return { kind: 'instance', namespace: V2, className, properties };
}

describe('encodeCimXml', () => {
  it('writes properties with their types, arrays, null and the empty string', () => {
    const xml = encodeCimXml(
      settings({
        elementname: 'a <b> & "c"',
        VirtualNumaEnabled: false,
        Notes: ['one', ''],
        Description: null,
        Caption: '',
        LowMmioGapSize: 128n,
        AutomaticStartupActionDelay: interval(1_800_000_000),
      }),
      schema,
    );
    expect(xml).toBe(
      '<INSTANCE CLASSNAME="Msvm_VirtualSystemSettingData">' +
        '<PROPERTY NAME="ElementName" TYPE="string"><VALUE>a &lt;b&gt; &amp; "c"</VALUE></PROPERTY>' +
        '<PROPERTY NAME="VirtualNumaEnabled" TYPE="boolean"><VALUE>FALSE</VALUE></PROPERTY>' +
        '<PROPERTY.ARRAY NAME="Notes" TYPE="string"><VALUE.ARRAY><VALUE>one</VALUE><VALUE></VALUE></VALUE.ARRAY></PROPERTY.ARRAY>' +
        '<PROPERTY NAME="Description" TYPE="string"/>' +
        '<PROPERTY NAME="Caption" TYPE="string"><VALUE></VALUE></PROPERTY>' +
        '<PROPERTY NAME="LowMmioGapSize" TYPE="uint64"><VALUE>128</VALUE></PROPERTY>' +
        '<PROPERTY NAME="AutomaticStartupActionDelay" TYPE="datetime"><VALUE>00000000003000.000000:000</VALUE></PROPERTY>' +
        '</INSTANCE>',
    );
  });

  it.each([
    ['an unknown property', { Nonsense: 1 }, /has no property Nonsense/u],
    ['a value of another type', { ElementName: 3 }, /ElementName: a number is not a string/u],
    ['a number out of range', { AutomaticStartupAction: 70_000 }, /does not fit a uint16/u],
    ['a list for one value', { ElementName: ['a'] }, /not an array/u],
    ['one value for a list', { Notes: 'a' }, /an array is expected/u],
  ])('refuses %s', (_, properties, message) => {
    expect(() => encodeCimXml(settings(properties), schema)).toThrow(message);
  });

  it('refuses an unknown class', () => {
    expect(() => encodeCimXml(settings({}, 'Msvm_Nothing'), schema)).toThrow(
      expect.objectContaining({ code: 'WSMAN_CIM_XML' }),
    );
  });
});

describe('decodeCimXml', () => {
  it('reads what a host returns: propagated properties, qualifiers, any order', () => {
    const instance = decodeCimXml(
      `<?xml version="1.0"?>
      <INSTANCE CLASSNAME="Msvm_VirtualHardDiskSettingData">
        <QUALIFIER NAME="dynamic" TYPE="boolean"><VALUE>true</VALUE></QUALIFIER>
        <PROPERTY NAME="Type" TYPE="uint16" PROPAGATED="true"><QUALIFIER NAME="x" TYPE="string"/><VALUE>3</VALUE></PROPERTY>
        <PROPERTY NAME="MaxInternalSize" TYPE="uint64"><VALUE>9007199254740993</VALUE></PROPERTY>
        <PROPERTY NAME="ParentPath" TYPE="string"></PROPERTY>
      </INSTANCE>`,
      options,
    );
    expect(instance.properties).toEqual({
      Type: 3,
      MaxInternalSize: 9_007_199_254_740_993n,
      ParentPath: null,
    });
  });

  it('keeps the type that the text declares and the properties that the schema lacks', () => {
    const instance = decodeCimXml(
      '<INSTANCE CLASSNAME="msvm_memorysettingdata"><PROPERTY NAME="limit" TYPE="string"><VALUE>12</VALUE></PROPERTY>' +
        '<PROPERTY NAME="NewerThanThis" TYPE="boolean"><VALUE>TRUE</VALUE></PROPERTY></INSTANCE>',
      options,
    );
    expect(instance.className).toBe('Msvm_MemorySettingData');
    expect(instance.properties).toEqual({ Limit: '12', NewerThanThis: true });
  });

  it('finds the instance inside declarations', () => {
    const inner =
      '<INSTANCE CLASSNAME="Msvm_Error"><PROPERTY NAME="Message" TYPE="string"><VALUE>m</VALUE></PROPERTY></INSTANCE>';
    const wrapped = `<CIM CIMVERSION="2.0" DTDVERSION="2.0"><DECLARATION><DECLGROUP><VALUE.OBJECT>${inner}</VALUE.OBJECT></DECLGROUP></DECLARATION></CIM>`;
    const bare = `<DECLARATIONS><DECLGROUP><VALUE.OBJECT>${inner}</VALUE.OBJECT></DECLGROUP></DECLARATIONS>`;
    expect(decodeCimXml(wrapped, options).properties).toEqual({ Message: 'm' });
    expect(decodeCimXml(bare, options).properties).toEqual({ Message: 'm' });
  });

  it.each([
    ['no XML', 'plain text'],
    ['another document', '<HTML/>'],
    ['no class', '<INSTANCE/>'],
    [
      'an unknown type',
      '<INSTANCE CLASSNAME="A"><PROPERTY NAME="P" TYPE="int"><VALUE>1</VALUE></PROPERTY></INSTANCE>',
    ],
    [
      'a value that is not of its type',
      '<INSTANCE CLASSNAME="A"><PROPERTY NAME="P" TYPE="uint8"><VALUE>300</VALUE></PROPERTY></INSTANCE>',
    ],
    ['an unknown kind of property', '<INSTANCE CLASSNAME="A"><PROPERTY.ODD NAME="P"/></INSTANCE>'],
    ['declarations without an instance', '<CIM><DECLARATION/></CIM>'],
  ])('refuses %s', (_, text) => {
    expect(() => decodeCimXml(text, options)).toThrow(expect.objectContaining({ code: 'WSMAN_CIM_XML' }));
  });

  it('refuses endless embedding', () => {
    let text = '<INSTANCE CLASSNAME="Msvm_KvpExchangeComponent"/>';
    for (let i = 0; i < 12; i += 1) {
      const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
      text = `<INSTANCE CLASSNAME="Msvm_KvpExchangeComponent"><PROPERTY.ARRAY NAME="GuestExchangeItems" TYPE="string"><VALUE.ARRAY><VALUE>${escaped}</VALUE></VALUE.ARRAY></PROPERTY.ARRAY></INSTANCE>`;
      if (text.length > 3_000_000) break;
    }
    expect(() => decodeCimXml(text, options)).toThrow(/too deeply/u);
  });
});

const safeText = fc.string({ unit: 'grapheme-ascii' });

function valueFor(def: PropertyDef): fc.Arbitrary<CimValue> {
  const one = scalarFor(def);
  return def.array ? fc.option(fc.array(one, { maxLength: 4 })) : fc.option(one);
}

function scalarFor(def: PropertyDef): fc.Arbitrary<CimScalar> {
  if (def.type === 'boolean') return fc.boolean();
  if (def.type === 'uint64') return fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
  if (def.type === 'sint64') return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  if (isIntegerType(def.type)) {
    const bits = Number(def.type.slice(4));
    return def.type.startsWith('u')
      ? fc.nat(2 ** bits - 1)
      : fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 });
  }
  if (def.type === 'datetime') {
    return fc
      .date({ min: new Date('1601-01-01'), max: new Date('9000-01-01'), noInvalidDate: true })
      .map((date) => parseIsoDateTime(date.toISOString()));
  }
  if (def.type === 'real32' || def.type === 'real64') return fc.double({ noNaN: true });
  if (def.type === 'reference') {
    return safeText.map((id) => ({
      kind: 'reference',
      namespace: V2,
      className: 'Msvm_MemorySettingData',
      keys: { InstanceID: id },
    }));
  }
  return safeText.filter((value) => !value.trimStart().startsWith('<'));
}

describe('any instance', () => {
  const classes = schema
    .classes(V2)
    .filter((def) => [...def.properties.values()].every((item) => item.type !== 'object'));

  it('survives encoding and decoding', () => {
    const instances = fc.constantFrom(...classes).chain((def) => {
      const fields = Object.fromEntries(
        [...def.properties.values()].map((item) => [item.name, valueFor(item)]),
      );
      return fc.subarray(Object.keys(fields)).chain((names) => {
        const chosen = Object.fromEntries(Object.entries(fields).filter(([name]) => names.includes(name)));
        return fc.record(chosen).map((properties) => settings(properties, def.name));
      });
    });
    fc.assert(
      fc.property(instances, (instance) => {
        expect(decodeCimXml(encodeCimXml(instance, schema), options)).toEqual(instance);
      }),
      { numRuns: 200 },
    );
  });

  it('with changed bytes never crashes', () => {
    const bytes = Buffer.from(
      encodeCimXml(settings({ ElementName: 'x', Notes: ['a'], LowMmioGapSize: 1n }), schema),
    );
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(127), (at, byte) => {
        const changed = Buffer.from(bytes);
        changed[at] = byte;
        try {
          decodeCimXml(changed.toString('utf8'), options);
        } catch (error) {
          expect(error).toMatchObject({ code: 'WSMAN_CIM_XML' });
        }
      }),
      { numRuns: 500 },
    );
  });
});
