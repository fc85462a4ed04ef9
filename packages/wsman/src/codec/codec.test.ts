import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { interval } from '../cim/datetime.js';
import type { CimInstance, CimReference } from '../cim/value.js';
import { WBEM, WmiError } from '../errors.js';
import { loadSchema } from '../schema/load-schema.js';
import { parseXml } from '../xml/reader.js';
import type { XmlElement } from '../xml/reader.js';
import { element } from '../xml/writer.js';
import { decodeReference, encodeEndpointReference } from './endpoint-reference.js';
import {
  decodeEnumerate,
  decodePage,
  decodePull,
  encodeEnumerate,
  encodePullResponse,
} from './enumeration.js';
import { decodeRequestHeader, encodeRequest, openEnvelope } from './envelope.js';
import { decodeFault, encodeFault, faultOfWmiError } from './fault.js';
import { decodeInstance, encodeInstance } from './instance.js';
import { decodeInvoke, decodeInvokeResponse, encodeInvoke, encodeInvokeResponse } from './invoke.js';
import { NS, PREFIXES } from './namespaces.js';
import { parseResourceUri, resourceUri } from './resource-uri.js';

const V2 = 'root/virtualization/v2';
const schema = loadSchema();
const lenient = { schema, namespace: V2, strict: false };
const strict = { schema, namespace: V2, strict: true };

/** Reads a piece of XML that uses the envelope's prefixes. */
function piece(xml: string): XmlElement {
  const [content] = parseXml(element('root', PREFIXES, xml)).children;
  if (content === undefined) throw new Error('no content');
  return content;
}

function machine(properties: CimInstance['properties']): CimInstance {
  return { kind: 'instance', namespace: V2, className: 'Msvm_ComputerSystem', properties };
}

const vm: CimReference = {
  kind: 'reference',
  namespace: V2,
  className: 'Msvm_ComputerSystem',
  keys: { CreationClassName: 'Msvm_ComputerSystem', Name: '1A2B' },
};

describe('resource URIs', () => {
  it('hold namespace and class', () => {
    const uri = resourceUri(V2, 'Msvm_ComputerSystem');
    expect(uri).toBe(
      'http://schemas.microsoft.com/wbem/wsman/1/wmi/root/virtualization/v2/Msvm_ComputerSystem',
    );
    expect(parseResourceUri(uri.toUpperCase().replace('MSVM_COMPUTERSYSTEM', '*'))).toEqual({
      namespace: 'ROOT/VIRTUALIZATION/V2',
      className: '*',
    });
  });

  it.each([
    '',
    'http://example.org/',
    resourceUri('root', ''),
    resourceUri('a/../b', 'C'),
    resourceUri('a', 'B?x=1'),
  ])('refuse %j', (uri) => expect(parseResourceUri(uri)).toBeUndefined());
});

describe('instances', () => {
  it('look as recorded from Windows', () => {
    const xml = encodeInstance(
      machine({
        Name: 'x<y',
        OperationalStatus: [2, 32_768],
        InstallDate: { kind: 'datetime', iso: '2026-10-08T15:15:36.684240Z' },
        Caption: null,
        OnTimeInMilliseconds: 12_345_678_901_234_567n,
        StatusDescriptions: [],
      }),
      schema,
    );
    expect(xml).toBe(
      '<p:Msvm_ComputerSystem xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wmi/root/virtualization/v2/Msvm_ComputerSystem" xsi:type="p:Msvm_ComputerSystem_Type">' +
        '<p:Caption xsi:nil="true"/>' +
        '<p:InstallDate><cim:Datetime>2026-10-08T15:15:36.68424Z</cim:Datetime></p:InstallDate>' +
        '<p:Name>x&lt;y</p:Name>' +
        '<p:OnTimeInMilliseconds>12345678901234567</p:OnTimeInMilliseconds>' +
        '<p:OperationalStatus>2</p:OperationalStatus><p:OperationalStatus>32768</p:OperationalStatus>' +
        '</p:Msvm_ComputerSystem>',
    );
  });

  it('come back with their types', () => {
    const values = {
      Name: ' spaces kept ',
      OnTimeInMilliseconds: 2n ** 63n,
      EnabledState: 2,
      InstallDate: { kind: 'datetime', iso: '1601-01-01T00:00:00Z' },
      Caption: null,
      Roles: ['a', ''],
    } as const;
    const read = decodeInstance(piece(encodeInstance(machine(values), schema)), lenient);
    expect(read).toEqual(machine(values));
  });

  it('written whole have every scalar property', () => {
    const read = decodeInstance(
      piece(encodeInstance(machine({ Name: 'x' }), schema, { whole: true })),
      lenient,
    );
    expect(read.properties).toMatchObject({ Name: 'x', ElementName: null, EnabledState: null });
    expect(read.properties).not.toHaveProperty('OperationalStatus');
  });

  it('of classes and properties that the schema lacks are read as text', () => {
    const uri = resourceUri(V2, 'Msvm_Newer');
    const read = decodeInstance(
      piece(
        `<q:Msvm_Newer xmlns:q="${uri}"><q:A>1</q:A><q:B xsi:nil="true"/><q:C>x</q:C><q:C>y</q:C>` +
          `<q:D><cim:Datetime>2026-01-01T00:00:00Z</cim:Datetime></q:D><q:E>${encodeEndpointReference(vm, schema)}</q:E></q:Msvm_Newer>`,
      ),
      lenient,
    );
    expect(read.properties).toEqual({
      A: '1',
      B: null,
      C: ['x', 'y'],
      D: { kind: 'datetime', iso: '2026-01-01T00:00:00Z' },
      E: vm,
    });
  });

  it('keep the text of a value that is not of its documented type', () => {
    const uri = resourceUri(V2, 'Msvm_ComputerSystem');
    const xml = `<q:Msvm_ComputerSystem xmlns:q="${uri}"><q:EnabledState>65536</q:EnabledState><q:InstallDate>soon</q:InstallDate></q:Msvm_ComputerSystem>`;
    expect(decodeInstance(piece(xml), lenient).properties).toEqual({
      EnabledState: '65536',
      InstallDate: 'soon',
    });
    expect(() => decodeInstance(piece(xml), strict)).toThrow(
      expect.objectContaining({ code: 'WSMAN_MEMBER', problem: 'value' }),
    );
  });

  it('with an unknown property are refused when written', () => {
    expect(() => encodeInstance(machine({ Nonsense: 1 }), schema)).toThrow(
      expect.objectContaining({ code: 'WSMAN_MEMBER' }),
    );
  });
});

describe('endpoint references', () => {
  it('are read with and without the element around them', () => {
    const wrapped = encodeEndpointReference(vm, schema);
    expect(decodeReference(piece(wrapped), schema)).toEqual(vm);
    expect(decodeReference(piece(`<x>${wrapped}</x>`), schema)).toEqual(vm);
  });

  it('give selectors the documented spelling and drop the DMTF namespace selector', () => {
    const xml = encodeEndpointReference({
      ...vm,
      className: 'msvm_computersystem',
      keys: { creationclassname: 'a', NAME: 'b', __cimnamespace: V2 },
    });
    expect(decodeReference(piece(xml), schema)).toEqual({
      ...vm,
      keys: { CreationClassName: 'a', Name: 'b' },
    });
  });

  it('nest for associations', () => {
    const path = String.raw`\\.\root\virtualization\v2:Msvm_ComputerSystem.CreationClassName="Msvm_ComputerSystem",Name="1A\\2B"`;
    const link: CimReference = {
      kind: 'reference',
      namespace: V2,
      className: 'Msvm_SettingsDefineState',
      keys: { ManagedElement: path },
    };
    const xml = encodeEndpointReference(link, schema);
    expect(xml).toContain('<w:Selector Name="ManagedElement"><a:EndpointReference>');
    expect(decodeReference(piece(xml), schema)).toEqual(link);
  });

  it.each([
    ['without parameters', '<a:EndpointReference/>'],
    [
      'to no class',
      `<a:EndpointReference><a:ReferenceParameters><w:ResourceURI>urn:x</w:ResourceURI></a:ReferenceParameters></a:EndpointReference>`,
    ],
  ])('%s are refused', (_, xml) => {
    expect(() => decodeReference(piece(xml))).toThrow(
      expect.objectContaining({ code: 'WSMAN_ENDPOINT_REFERENCE' }),
    );
  });
});

describe('Invoke', () => {
  const def = schema.classOf(V2, 'Msvm_VirtualSystemManagementService')!;
  const add = def.methods.get('AddResourceSettings')!;
  const summary = def.methods.get('GetSummaryInformation')!;
  const disk: CimInstance = {
    kind: 'instance',
    namespace: V2,
    className: 'Msvm_StorageAllocationSettingData',
    properties: { ElementName: 'a & b', HostResource: ['C:\\x.vhdx'] },
  };

  it('puts references directly, repeats arrays and writes instances as text', () => {
    const xml = encodeInvoke(def, add, { AffectedConfiguration: vm, ResourceSettings: [disk, disk] }, strict);
    expect(xml).toMatch(/^<p:AddResourceSettings_INPUT xmlns:p="[^"]*Msvm_VirtualSystemManagementService">/u);
    expect(xml).toContain('<p:AffectedConfiguration><a:Address>');
    expect(xml.match(/<p:ResourceSettings>&lt;INSTANCE/gu)).toHaveLength(2);
    expect(decodeInvoke(piece(xml), add, strict)).toEqual({
      AffectedConfiguration: vm,
      ResourceSettings: [disk, disk],
    });
  });

  it('leaves null and empty parameters out', () => {
    const xml = encodeInvoke(def, add, { AffectedConfiguration: null, ResourceSettings: [] }, strict);
    expect(decodeInvoke(piece(xml), add, strict)).toEqual({});
  });

  it('hands text that is no CIM-XML to the method as it is', () => {
    const xml =
      '<p:AddResourceSettings_INPUT xmlns:p="urn:x"><p:ResourceSettings>&lt;INSTANCE broken</p:ResourceSettings></p:AddResourceSettings_INPUT>';
    expect(decodeInvoke(piece(xml), add, strict)).toEqual({ ResourceSettings: ['<INSTANCE broken'] });
  });

  it.each([
    ['an unknown parameter', '<p:Nonsense>1</p:Nonsense>', 'unknown'],
    [
      'a wrapped reference',
      `<p:AffectedConfiguration>${encodeEndpointReference(vm)}</p:AffectedConfiguration>`,
      'shape',
    ],
    ['elements where text belongs', '<p:ResourceSettings><p:x/></p:ResourceSettings>', 'shape'],
    ['a name in another case', '<p:resourceSettings>x</p:resourceSettings>', 'unknown'],
    ['one value twice', '<p:AffectedConfiguration/><p:AffectedConfiguration/>', 'shape'],
  ])('refuses %s', (_, content, problem) => {
    const xml = `<p:AddResourceSettings_INPUT xmlns:p="urn:x">${content}</p:AddResourceSettings_INPUT>`;
    expect(() => decodeInvoke(piece(xml), add, strict)).toThrow(
      expect.objectContaining({ code: 'WSMAN_MEMBER', problem }),
    );
  });

  it('refuses an unknown parameter at the client', () => {
    expect(() => encodeInvoke(def, add, { Nonsense: 1 }, strict)).toThrow(/takes no such parameter/u);
  });

  it('carries embedded objects in results', () => {
    const info: CimInstance = {
      kind: 'instance',
      namespace: V2,
      className: 'Msvm_SummaryInformation',
      properties: { Name: 'G', UpTime: 5n, ProcessorLoadHistory: [1, 2], Snapshots: [vm] },
    };
    const result = { returnValue: 0, out: { SummaryInformation: [info, info] } };
    const xml = encodeInvokeResponse(def, summary, result, strict);
    expect(decodeInvokeResponse(piece(xml), summary, lenient)).toEqual(result);
  });

  it('reads embedded objects whose properties stand directly in the parameter', () => {
    const uri = resourceUri(V2, 'Msvm_SummaryInformation');
    const xml =
      `<p:GetSummaryInformation_OUTPUT xmlns:p="${resourceUri(V2, def.name)}">` +
      `<p:SummaryInformation xmlns:q="${uri}" xsi:type="q:Msvm_SummaryInformation_Type"><q:Name>G</q:Name><q:NumberOfProcessors>2</q:NumberOfProcessors></p:SummaryInformation>` +
      '<p:ReturnValue>0</p:ReturnValue></p:GetSummaryInformation_OUTPUT>';
    const { out } = decodeInvokeResponse(piece(xml), summary, lenient);
    expect(out['SummaryInformation']).toMatchObject([
      { className: 'Msvm_SummaryInformation', properties: { Name: 'G', NumberOfProcessors: 2 } },
    ]);
  });

  it('writes null results as nil and reads them as absent', () => {
    const xml = encodeInvokeResponse(def, add, { returnValue: 4096, out: {} }, strict);
    expect(xml).toContain('<p:Job xsi:nil="true"/><p:ReturnValue>4096</p:ReturnValue>');
    expect(decodeInvokeResponse(piece(xml), add, lenient)).toEqual({ returnValue: 4096, out: {} });
  });
});

describe('enumeration', () => {
  it('round-trips its request', () => {
    const requests = fc.record({
      optimize: fc.boolean(),
      mode: fc.constantFrom('object' as const, 'reference' as const, 'both' as const),
      maxElements: fc.integer({ min: 1, max: 32_000 }),
      filter: fc.oneof(
        fc.record({
          kind: fc.constant('wql' as const),
          query: fc.constantFrom('SELECT * FROM X WHERE a < 1', 'x & "y"'),
        }),
        fc.constant({ kind: 'selectors' as const, values: { Name: 'a<b' } }),
        fc.constant({
          kind: 'associators' as const,
          source: vm,
          filter: { associationClass: 'A', resultClass: 'B', role: 'C', resultRole: 'D' },
        }),
        fc.constant({
          kind: 'references' as const,
          source: vm,
          filter: { role: 'C', includeResultProperties: ['E', 'F'] },
        }),
      ),
    });
    fc.assert(
      fc.property(requests, (request) => {
        expect(decodeEnumerate(piece(encodeEnumerate(request, schema)), schema)).toEqual(request);
      }),
    );
  });

  it('reads limits of a pull and refuses nonsense', () => {
    const pull =
      '<n:Pull><n:EnumerationContext>c</n:EnumerationContext><n:MaxTime>PT5S</n:MaxTime><n:MaxElements>3</n:MaxElements><n:MaxCharacters>9000</n:MaxCharacters></n:Pull>';
    expect(decodePull(piece(pull))).toEqual({
      context: 'c',
      maxElements: 3,
      maxTimeMs: 5000,
      maxCharacters: 9000,
    });
    for (const bad of ['0', '-1', 'x', '1.5', '99999999999999999999']) {
      expect(() =>
        decodePull(
          piece(
            `<n:Pull><n:EnumerationContext>c</n:EnumerationContext><n:MaxElements>${bad}</n:MaxElements></n:Pull>`,
          ),
        ),
      ).toThrow();
    }
    expect(() => decodePull(piece('<n:Pull/>'))).toThrow(/names no enumeration context/u);
  });

  it('ends a sequence without a context', () => {
    const page = decodePage(piece(encodePullResponse({ items: ['<x/>'], end: true })));
    expect(page).toMatchObject({ context: undefined, end: true });
    expect(page.items).toHaveLength(1);
  });
});

describe('request headers', () => {
  const xml = encodeRequest(
    {
      to: 'http://h/wsman',
      action: 'urn:a',
      messageId: 'uuid:1',
      resourceUri: resourceUri(V2, 'Msvm_ComputerSystem'),
      maxEnvelopeSize: 512_000,
      operationTimeoutMs: 54_000,
      target: vm,
      schema,
    },
    '',
  );

  it('round-trip', () => {
    const envelope = openEnvelope(parseXml(xml));
    expect(envelope.content).toBeUndefined();
    expect(decodeRequestHeader(envelope.header)).toMatchObject({
      action: 'urn:a',
      messageId: 'uuid:1',
      maxEnvelopeSize: 512_000,
      operationTimeoutMs: 54_000,
      fragment: false,
    });
  });

  it('with something unknown that must be understood are refused', () => {
    const changed = xml.replace('<a:To>', '<z:Q xmlns:z="urn:z" s:mustUnderstand="1"/><a:To>');
    expect(() => decodeRequestHeader(openEnvelope(parseXml(changed)).header)).toThrow(/not understood/u);
  });

  it('of SOAP 1.1 are refused', () => {
    const old = xml.replaceAll(NS.soap, 'http://schemas.xmlsoap.org/soap/envelope/');
    expect(() => openEnvelope(parseXml(old))).toThrow(/SOAP 1.2/u);
  });
});

describe('faults', () => {
  it('carry the HRESULT of WMI', () => {
    const fields = faultOfWmiError(new WmiError(WBEM.notFound, 'Not found \u0001'), 'HV1');
    const fault = decodeFault(piece(encodeFault(fields)));
    expect(fault).toMatchObject({
      code: 'WSMAN_FAULT',
      subcode: 'DestinationUnreachable',
      hresult: 0x80041002,
      wsmanCode: 0x80338000,
      retryable: false,
      message: 'Not found ?',
    });
  });

  it.each([
    [WBEM.accessDenied, 'AccessDenied', 5],
    [WBEM.invalidClass, 'DestinationUnreachable', 0x80338000],
    [WBEM.invalidQuery, 'CannotProcessFilter', 0x8033801a],
    [WBEM.invalidMethod, 'ActionNotSupported', 0x80338013],
    [WBEM.invalidMethodParameters, 'InvalidParameter', 0x8033803a],
    [WBEM.failed, 'InternalError', 0x80041001],
  ])('map %d to %s', (hresult, subcode, wsmanCode) => {
    const fault = decodeFault(piece(encodeFault(faultOfWmiError(new WmiError(hresult, 'm'), 'h'))));
    expect(fault).toMatchObject({ subcode, wsmanCode, hresult });
  });

  it('of newer hosts are read: MSFT_WmiError in the detail', () => {
    const fault = decodeFault(
      piece(
        '<s:Fault><s:Code><s:Value>s:Receiver</s:Value><s:Subcode><s:Value>w:InternalError</s:Value></s:Subcode></s:Code>' +
          '<s:Reason><s:Text xml:lang="en-US">Failed</s:Text></s:Reason><s:Detail>' +
          '<z:MSFT_WmiError xmlns:z="urn:z"><z:CIMStatusCode xsi:type="cim:cimUnsignedInt">1</z:CIMStatusCode><z:error_Code>-2147217407</z:error_Code></z:MSFT_WmiError>' +
          '</s:Detail></s:Fault>',
      ),
    );
    expect(fault).toMatchObject({ subcode: 'InternalError', hresult: 0x80041001, message: 'Failed' });
  });

  it('of quota may be tried again, and one without detail is still a fault', () => {
    const quota = decodeFault(piece(encodeFault({ subcode: 'QuotaLimit', message: 'busy', machine: 'h' })));
    expect(quota.retryable).toBe(true);
    expect(decodeFault(piece('<s:Fault/>'))).toMatchObject({
      code: 'WSMAN_FAULT',
      hresult: undefined,
      wsmanCode: undefined,
    });
  });
});

describe('intervals as parameters', () => {
  it('take cim:Interval', () => {
    const def = schema.classOf(V2, 'Msvm_ComputerSystem')!;
    const method = def.methods.get('RequestStateChange')!;
    const xml = encodeInvoke(
      def,
      method,
      { RequestedState: 2, TimeoutPeriod: interval(1_800_000_000) },
      strict,
    );
    expect(xml).toContain('<p:TimeoutPeriod><cim:Interval>P0DT0H30M0S</cim:Interval></p:TimeoutPeriod>');
    expect(decodeInvoke(piece(xml), method, strict)).toEqual({
      RequestedState: 2,
      TimeoutPeriod: interval(1_800_000_000),
    });
  });
});
