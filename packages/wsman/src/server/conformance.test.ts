import http from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WBEM, WmiError } from '../errors.js';
import { sampleProvider } from '../testing/sample.js';
import { child, descendant, parseXml } from '../xml/reader.js';
import type { XmlElement } from '../xml/reader.js';
import { basicServerAuth } from './auth.js';
import { createWsmanServer } from './create-server.js';

/*
 * Messages in the shapes in which public clients send them, byte for byte as their libraries lay them out (other
 * prefixes, other orders, other optional headers), against the server over a real socket.
 */

const CLASS_URI = 'http://schemas.microsoft.com/wbem/wsman/1/wmi/root/virtualization/v2';
const provider = sampleProvider(3, {
  methods: {
    'Msvm_ComputerSystem.RequestStateChange': ({ RequestedState }) => {
      if (RequestedState === 77) throw new WmiError(WBEM.failed, 'Generic failure');
      if (RequestedState === 78) throw new TypeError('a fault of the program');
      if (RequestedState === 79) return new Promise(() => undefined);
      return { returnValue: RequestedState === 2 ? 0 : 32_775, out: {} };
    },
  },
});
const logged: unknown[] = [];
const server = createWsmanServer({
  provider,
  auth: basicServerAuth([{ user: 'Administrator', password: 'secret' }]),
  log: (entry) => logged.push(entry),
  machine: 'HV1',
});
let url = '';

beforeAll(async () => {
  ({ url } = await server.listen(0));
});
afterAll(() => server.close());

interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  text: string;
}

async function post(
  body: string | Buffer,
  headers: Record<string, string> = {},
  options: { path?: string; method?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(
      new URL(options.path ?? '/wsman', url),
      {
        method: options.method ?? 'POST',
        agent: false,
        headers: {
          'Content-Type': 'application/soap+xml;charset=UTF-8',
          Authorization: `Basic ${Buffer.from('Administrator:secret').toString('base64')}`,
          ...headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString(),
          }),
        );
        response.on('error', reject);
      },
    );
    request.on('error', reject);
    request.end(body);
  });
}

async function ask(body: string, status = 200): Promise<{ header: XmlElement; content: XmlElement }> {
  const answer = await post(body);
  expect(answer.status, answer.text).toBe(status);
  expect(answer.headers['content-type']).toBe('application/soap+xml;charset=UTF-8');
  const root = parseXml(answer.text);
  const header = child(root, undefined, 'Header');
  const content = child(root, undefined, 'Body')?.children[0];
  if (header === undefined || content === undefined) throw new Error(answer.text);
  return { header, content };
}

async function faultOf(
  body: string,
): Promise<{ subcode: string; code: string; hresult: string | undefined; text: string }> {
  const { content } = await ask(body, 500);
  const values: string[] = [];
  const collect = (item: XmlElement): void => {
    if (item.local === 'Value') values.push(item.text);
    item.children.forEach(collect);
  };
  collect(content);
  const wsman = descendant(content, (item) => item.local === 'WSManFault');
  return {
    subcode: values.at(-1) ?? '',
    code: wsman?.attributes.find((item) => item.local === 'Code')?.value ?? '',
    hresult: descendant(content, (item) => item.local === 'StatusCode')?.text,
    text: descendant(content, (item) => item.local === 'Text')?.text ?? '',
  };
}

/** What xmltodict makes of pywinrm's headers: `env`, `a`, `w`, `p`, `n` prefixes; every header with its attributes. */
function pywinrm(
  action: string,
  resource: string,
  body: string,
  selectors: Record<string, string> = {},
  extra = '',
): string {
  const set = Object.entries(selectors)
    .map(([name, value]) => `<w:Selector Name="${name}">${value}</w:Selector>`)
    .join('');
  return `<?xml version="1.0" encoding="utf-8"?>
<env:Envelope xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:env="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:b="http://schemas.dmtf.org/wbem/wsman/1/cimbinding.xsd" xmlns:n="http://schemas.xmlsoap.org/ws/2004/09/enumeration" xmlns:x="http://schemas.xmlsoap.org/ws/2004/09/transfer" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd" xmlns:p="http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd" xmlns:rsp="http://schemas.microsoft.com/wbem/wsman/1/windows/shell" xmlns:cfg="http://schemas.microsoft.com/wbem/wsman/1/config"><env:Header><a:To>http://windows-host:5985/wsman</a:To><a:ReplyTo><a:Address mustUnderstand="true">http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo><w:MaxEnvelopeSize mustUnderstand="true">153600</w:MaxEnvelopeSize><a:MessageID>uuid:11111111-1111-1111-1111-111111111111</a:MessageID><w:Locale mustUnderstand="false" xml:lang="en-US"></w:Locale><p:DataLocale mustUnderstand="false" xml:lang="en-US"></p:DataLocale><w:OperationTimeout>PT20S</w:OperationTimeout><w:ResourceURI mustUnderstand="true">${resource}</w:ResourceURI><a:Action mustUnderstand="true">${action}</a:Action>${set === '' ? '' : `<w:SelectorSet>${set}</w:SelectorSet>`}${extra}</env:Header><env:Body>${body}</env:Body></env:Envelope>`;
}

const ENUMERATE = 'http://schemas.xmlsoap.org/ws/2004/09/enumeration/Enumerate';
const PULL = 'http://schemas.xmlsoap.org/ws/2004/09/enumeration/Pull';
const RELEASE = 'http://schemas.xmlsoap.org/ws/2004/09/enumeration/Release';
const GET = 'http://schemas.xmlsoap.org/ws/2004/09/transfer/Get';
const VM = { CreationClassName: 'Msvm_ComputerSystem', Name: '00000000-0000-4000-8000-000000000001' };
const SYSTEM = `${CLASS_URI}/Msvm_ComputerSystem`;
const wql = (query: string, more = ''): string =>
  `<n:Enumerate>${more}<w:Filter Dialect="http://schemas.microsoft.com/wbem/wsman/1/WQL">${query}</w:Filter></n:Enumerate>`;

describe('HTTP', () => {
  it('serves one path, one method, one media type', async () => {
    expect((await post('', {}, { path: '/' })).status).toBe(404);
    expect((await post('', {}, { method: 'PUT' })).status).toBe(405);
    expect((await post('<a/>', { 'Content-Type': 'text/plain' })).status).toBe(415);
  });

  it('asks for credentials, and for the right ones', async () => {
    const wrong = await post('<a/>', { Authorization: 'Basic QWRtaW5pc3RyYXRvcjp3cm9uZw==' });
    expect(wrong.status).toBe(401);
    expect(wrong.headers['www-authenticate']).toBe('Basic realm="WSMAN"');
    expect((await post('<a/>', { Authorization: '' })).status).toBe(401);
    expect((await post('<a/>', { Authorization: 'Negotiate abc' })).status).toBe(401);
  });

  it('answers what is no XML with 400 and a fault, and what is too large with a fault', async () => {
    const bad = await post('<a');
    expect(bad.status).toBe(400);
    expect(bad.text).toContain('SchemaValidationError');
    const large = await post(`<a>${'x'.repeat(600_000)}</a>`);
    expect(large.status).toBe(500);
    expect(large.text).toContain('EncodingLimit');
  });

  it('reads UTF-16', async () => {
    const answer = await post(Buffer.from(pywinrm(GET, SYSTEM, '', VM), 'utf16le'), {
      'Content-Type': 'application/soap+xml;charset=UTF-16',
    });
    expect(answer.status).toBe(200);
  });
});

describe('Identify', () => {
  const message =
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:wsmid="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"><s:Header/><s:Body><wsmid:Identify/></s:Body></s:Envelope>';

  it('tells the version to those who are known', async () => {
    const { content } = await ask(message);
    expect(child(content, undefined, 'ProductVersion')?.text).toBe('OS: 10.0.20348 SP: 0.0 Stack: 3.0');
  });

  it('tells less to those who are not, and nothing else', async () => {
    const headers = { WSMANIDENTIFY: 'unauthenticated', Authorization: '' };
    expect((await post(message, headers)).text).toContain('OS: 0.0.0');
    const other = await post(pywinrm(GET, SYSTEM, '', VM), headers);
    expect(other.status).toBe(500);
    expect(other.text).toContain('AccessDenied');
  });
});

describe('pywinrm', () => {
  it('gets an instance', async () => {
    const { header, content } = await ask(pywinrm(GET, SYSTEM, '', VM));
    expect(child(header, undefined, 'Action')?.text).toBe(`${GET}Response`);
    expect(child(header, undefined, 'RelatesTo')?.text).toBe('uuid:11111111-1111-1111-1111-111111111111');
    expect(content).toMatchObject({ local: 'Msvm_ComputerSystem', uri: SYSTEM });
    expect(child(content, undefined, 'ElementName')?.text).toBe('machine-1');
    const names = content.children.map((item) => item.local.toLowerCase());
    expect(names).toEqual(names.toSorted());
  });

  it('enumerates one item per pull when it names no number', async () => {
    const first = await ask(pywinrm(ENUMERATE, `${CLASS_URI}/*`, wql('select * from Msvm_ComputerSystem')));
    let context = child(first.content, undefined, 'EnumerationContext')?.text;
    expect(child(first.content, undefined, 'Items')).toBeUndefined();
    const names: (string | undefined)[] = [];
    for (let ended = false; !ended;) {
      const pull = `<n:Pull><n:EnumerationContext>${context}</n:EnumerationContext></n:Pull>`;
      const { content } = await ask(pywinrm(PULL, `${CLASS_URI}/*`, pull));
      const items = child(content, undefined, 'Items')?.children ?? [];
      expect(items).toHaveLength(1);
      names.push(child(items[0]!, undefined, 'ElementName')?.text);
      ended = child(content, undefined, 'EndOfSequence') !== undefined;
      const next = child(content, undefined, 'EnumerationContext')?.text;
      expect(next === undefined).toBe(ended);
      context = next;
    }
    expect(names).toEqual(['machine-0', 'machine-1', 'machine-2']);
    expect(server.openEnumerations).toBe(0);
  });

  it('invokes a method', async () => {
    const input = `<q:RequestStateChange_INPUT xmlns:q="${SYSTEM}"><q:RequestedState>2</q:RequestedState></q:RequestStateChange_INPUT>`;
    const { header, content } = await ask(pywinrm(`${SYSTEM}/RequestStateChange`, SYSTEM, input, VM));
    expect(child(header, undefined, 'Action')?.text).toBe(`${SYSTEM}/RequestStateChangeResponse`);
    expect(content.local).toBe('RequestStateChange_OUTPUT');
    expect(child(content, SYSTEM, 'ReturnValue')?.text).toBe('0');
  });
});

/** Their prefixes; the body's elements without a namespace prefix of their own; `urn:uuid:` or `uuid:` ids. */
const openwsman = (action: string, resource: string, body: string, selectors = ''): string =>
  `<?xml version="1.0" encoding="UTF-8"?>
<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:wsa="http://schemas.xmlsoap.org/ws/2004/08/addressing" xmlns:wsman="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd">
<s:Header>
  <wsa:Action s:mustUnderstand="true">${action}</wsa:Action>
  <wsa:To s:mustUnderstand="true">http://host:5985/wsman</wsa:To>
  <wsman:ResourceURI s:mustUnderstand="true">${resource}</wsman:ResourceURI>
  <wsa:MessageID s:mustUnderstand="true">uuid:8b0e4f9e-0000-1000-8000-000000000000</wsa:MessageID>
  <wsa:ReplyTo>
    <wsa:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</wsa:Address>
  </wsa:ReplyTo>${selectors}
</s:Header>
<s:Body>${body}</s:Body>
</s:Envelope>
`;

describe('openwsman and libvirt', () => {
  const selectorSet = `<wsman:SelectorSet><wsman:Selector Name="CreationClassName">Msvm_ComputerSystem</wsman:Selector><wsman:Selector Name="Name">${VM.Name}</wsman:Selector></wsman:SelectorSet>`;

  it('query with WQL in CDATA, then pull', async () => {
    const body = `
      <wsen:Enumerate xmlns:wsen="http://schemas.xmlsoap.org/ws/2004/09/enumeration">
        <wsman:Filter Dialect="http://schemas.microsoft.com/wbem/wsman/1/WQL"><![CDATA[select * from Msvm_ComputerSystem where Name = "${VM.Name}"]]></wsman:Filter>
      </wsen:Enumerate>`;
    const first = await ask(openwsman(ENUMERATE, `${CLASS_URI}/*`, body));
    const context = child(first.content, undefined, 'EnumerationContext')?.text;
    const pull = `<wsen:Pull xmlns:wsen="http://schemas.xmlsoap.org/ws/2004/09/enumeration"><wsen:EnumerationContext>${context}</wsen:EnumerationContext></wsen:Pull>`;
    const { content } = await ask(openwsman(PULL, `${CLASS_URI}/*`, pull));
    expect(child(content, undefined, 'Items')?.children).toHaveLength(1);
    expect(child(content, undefined, 'EndOfSequence')).toBeDefined();
  });

  it('walk associations in WQL', async () => {
    const path = `Msvm_ComputerSystem.CreationClassName="Msvm_ComputerSystem",Name="${VM.Name}"`;
    const query = `associators of {${path}} where AssocClass = Msvm_SettingsDefineState ResultClass = Msvm_VirtualSystemSettingData`;
    const body = `<wsen:Enumerate xmlns:wsen="http://schemas.xmlsoap.org/ws/2004/09/enumeration"><wsman:OptimizeEnumeration/><wsman:MaxElements>32000</wsman:MaxElements><wsman:Filter Dialect="http://schemas.microsoft.com/wbem/wsman/1/WQL">${query}</wsman:Filter></wsen:Enumerate>`;
    const { content } = await ask(openwsman(ENUMERATE, `${CLASS_URI}/*`, body));
    const items = child(content, undefined, 'Items')?.children ?? [];
    expect(items.map((item) => item.local)).toEqual(['Msvm_VirtualSystemSettingData']);
    expect(child(content, undefined, 'EndOfSequence')).toBeDefined();
    const delay = descendant(content, (item) => item.local === 'AutomaticStartupActionDelay');
    expect(delay?.children[0]).toMatchObject({ local: 'Interval', text: 'P0DT0H30M0S' });
  });

  it('invoke without the optional headers', async () => {
    const input = `<p:RequestStateChange_INPUT xmlns:p="${SYSTEM}"><p:RequestedState>3</p:RequestedState></p:RequestStateChange_INPUT>`;
    const { content } = await ask(openwsman(`${SYSTEM}/RequestStateChange`, SYSTEM, input, selectorSet));
    expect(child(content, undefined, 'ReturnValue')?.text).toBe('32775');
  });
});

describe('clients of the DMTF filters', () => {
  it('find by selectors', async () => {
    const body =
      '<n:Enumerate><w:OptimizeEnumeration/><w:MaxElements>9</w:MaxElements><w:Filter Dialect="http://schemas.dmtf.org/wbem/wsman/1/wsman/SelectorFilter"><w:SelectorSet><w:Selector Name="elementname">machine-2</w:Selector><w:Selector Name="EnabledState">3</w:Selector></w:SelectorSet></w:Filter></n:Enumerate>';
    const { content } = await ask(pywinrm(ENUMERATE, SYSTEM, body));
    expect(child(content, undefined, 'Items')?.children).toHaveLength(1);
  });

  it('read references only', async () => {
    const body =
      '<n:Enumerate><w:OptimizeEnumeration/><w:MaxElements>9</w:MaxElements><w:EnumerationMode>EnumerateEPR</w:EnumerationMode></n:Enumerate>';
    const { content } = await ask(pywinrm(ENUMERATE, SYSTEM, body));
    expect(child(content, undefined, 'Items')?.children.map((item) => item.local)).toEqual(
      Array(3).fill('EndpointReference'),
    );
  });

  it('read association instances with real references inside', async () => {
    const object = `<b:Object><a:Address>http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address><a:ReferenceParameters><w:ResourceURI>${SYSTEM}</w:ResourceURI><w:SelectorSet><w:Selector Name="Name">${VM.Name}</w:Selector><w:Selector Name="CreationClassName">Msvm_ComputerSystem</w:Selector></w:SelectorSet></a:ReferenceParameters></b:Object>`;
    const body = `<n:Enumerate><w:OptimizeEnumeration/><w:MaxElements>9</w:MaxElements><w:Filter Dialect="http://schemas.dmtf.org/wbem/wsman/1/cimbinding/associationFilter"><b:AssociationInstances>${object}<b:ResultClassName>Msvm_SettingsDefineState</b:ResultClassName><b:IncludeResultProperty>SettingData</b:IncludeResultProperty></b:AssociationInstances></w:Filter></n:Enumerate>`;
    const { content } = await ask(pywinrm(ENUMERATE, `${CLASS_URI}/*`, body));
    const [item] = child(content, undefined, 'Items')?.children ?? [];
    expect(item?.children.map((entry) => entry.local)).toEqual(['SettingData']);
    expect(item?.children[0]?.children.map((entry) => entry.local)).toEqual([
      'Address',
      'ReferenceParameters',
    ]);
  });
});

/** The same request from a client that reads less. */
const small = (body: string, bytes: number): string => body.replace('>153600<', `>${bytes}<`);

describe('refusals', () => {
  const invoke = (
    content: string,
    selectors: Record<string, string> = VM,
    method = 'RequestStateChange',
  ): string =>
    pywinrm(
      `${SYSTEM}/${method}`,
      SYSTEM,
      `<q:${method}_INPUT xmlns:q="${SYSTEM}">${content}</q:${method}_INPUT>`,
      selectors,
    );
  const vmms = `${CLASS_URI}/Msvm_VirtualSystemManagementService`;
  const image = `${CLASS_URI}/Msvm_ImageManagementService`;

  it.each([
    [
      'an unknown class',
      pywinrm(GET, `${CLASS_URI}/Msvm_Nothing`, '', VM),
      'a:DestinationUnreachable',
      '2147749904',
    ],
    [
      'an unknown namespace',
      pywinrm(GET, SYSTEM.replace('/v2', '/v9'), '', VM),
      'a:DestinationUnreachable',
      '2147749902',
    ],
    [
      'a missing instance',
      pywinrm(GET, SYSTEM, '', { ...VM, Name: 'x' }),
      'a:DestinationUnreachable',
      '2147749890',
    ],
    ['no selector', pywinrm(GET, SYSTEM, ''), 'a:DestinationUnreachable', undefined],
    [
      'an unknown selector',
      pywinrm(GET, SYSTEM, '', { ...VM, Nonsense: '1' }),
      'w:InvalidSelectors',
      undefined,
    ],
    ['too few selectors', pywinrm(GET, SYSTEM, '', { Name: VM.Name }), 'w:InvalidSelectors', undefined],
    ['an unknown method', invoke('', VM, 'Nonsense'), 'a:ActionNotSupported', '2147749934'],
    ['a method in another case', invoke('', VM, 'requestStateChange'), 'a:ActionNotSupported', '2147749934'],
    ['an unknown action', pywinrm('urn:nonsense', SYSTEM, '', VM), 'a:ActionNotSupported', undefined],
    ['an unknown parameter', invoke('<q:Nonsense>1</q:Nonsense>'), 'w:InvalidParameter', undefined],
    [
      'a parameter of another type',
      invoke('<q:RequestedState>on</q:RequestedState>'),
      'w:InvalidParameter',
      undefined,
    ],
    [
      'a number out of range',
      invoke('<q:RequestedState>65536</q:RequestedState>'),
      'w:InvalidParameter',
      undefined,
    ],
    [
      'a body of another method',
      pywinrm(`${SYSTEM}/RequestStateChange`, SYSTEM, '<x/>', VM),
      'w:SchemaValidationError',
      undefined,
    ],
    [
      'a provider’s error',
      invoke('<q:RequestedState>77</q:RequestedState>'),
      'w:InternalError',
      '2147749889',
    ],
    [
      'the management service without a selector',
      pywinrm(`${vmms}/DefineSystem`, vmms, `<q:DefineSystem_INPUT xmlns:q="${vmms}"/>`),
      'w:InvalidParameter',
      '2147749935',
    ],
    [
      'another service without a selector',
      pywinrm(`${image}/CreateVirtualHardDisk`, image, `<q:CreateVirtualHardDisk_INPUT xmlns:q="${image}"/>`),
      'w:InternalError',
      undefined,
    ],
    [
      'WQL on a class',
      pywinrm(ENUMERATE, SYSTEM, wql('select * from Msvm_ComputerSystem')),
      'a:DestinationUnreachable',
      undefined,
    ],
    [
      'a malformed query',
      pywinrm(ENUMERATE, `${CLASS_URI}/*`, wql('select from')),
      'n:CannotProcessFilter',
      '2147749911',
    ],
    [
      'an unknown dialect',
      pywinrm(ENUMERATE, SYSTEM, '<n:Enumerate><w:Filter Dialect="urn:x">y</w:Filter></n:Enumerate>'),
      'n:FilterDialectRequestedUnavailable',
      undefined,
    ],
    [
      'a polymorphism mode',
      pywinrm(ENUMERATE, SYSTEM, '<n:Enumerate><b:PolymorphismMode>None</b:PolymorphismMode></n:Enumerate>'),
      'w:UnsupportedFeature',
      undefined,
    ],
    [
      'an unknown context',
      pywinrm(PULL, SYSTEM, '<n:Pull><n:EnumerationContext>uuid:1</n:EnumerationContext></n:Pull>'),
      'n:InvalidEnumerationContext',
      undefined,
    ],
    [
      'a header that must be understood',
      pywinrm(GET, SYSTEM, '', VM, '<z:X xmlns:z="urn:z" env:mustUnderstand="true"/>'),
      's:MustUnderstand',
      undefined,
    ],
    [
      'a fragment',
      pywinrm(GET, SYSTEM, '', VM, '<w:FragmentTransfer>Name</w:FragmentTransfer>'),
      'w:UnsupportedFeature',
      undefined,
    ],
  ])('%s', async (_, body, subcode, hresult) => {
    const fault = await faultOf(body);
    expect(fault).toMatchObject({ subcode, hresult });
    expect(fault.text).not.toBe('');
  });

  it('names the codes that Windows uses', async () => {
    expect((await faultOf(pywinrm(GET, SYSTEM, ''))).code).toBe('2150859002');
    expect((await faultOf(pywinrm(ENUMERATE, SYSTEM, wql('select * from X')))).code).toBe('2150859003');
  });

  it('hides the program’s own mistakes from clients and logs them', async () => {
    logged.length = 0;
    const fault = await faultOf(invoke('<q:RequestedState>78</q:RequestedState>'));
    expect(fault.subcode).toBe('w:InternalError');
    expect(fault.text).not.toContain('a fault of the program');
    expect(logged).toMatchObject([{ level: 'error', error: { message: 'a fault of the program' } }]);
  });

  it('gives up an operation at its time', async () => {
    const body = invoke('<q:RequestedState>79</q:RequestedState>').replace('PT20S', 'PT0.05S');
    expect((await faultOf(body)).subcode).toBe('w:TimedOut');
  });

  it('refuses an answer that the client could not read', async () => {
    expect((await faultOf(small(pywinrm(GET, SYSTEM, '', VM), 100))).subcode).toBe('w:EncodingLimit');
    const long = provider.instances.find((item) => item.className === 'Msvm_ComputerSystem')!;
    provider.instances.push({
      ...long,
      properties: { ...long.properties, Name: 'LONG', Description: 'x'.repeat(20_000) },
    });
    const get = pywinrm(GET, SYSTEM, '', { ...VM, Name: 'LONG' });
    expect((await faultOf(small(get, 10_000))).subcode).toBe('w:EncodingLimit');
    provider.instances.pop();
  });

  it('releases a context once', async () => {
    const first = await ask(pywinrm(ENUMERATE, SYSTEM, '<n:Enumerate/>'));
    const context = child(first.content, undefined, 'EnumerationContext')?.text;
    const release = `<n:Release><n:EnumerationContext>${context}</n:EnumerationContext></n:Release>`;
    const other = pywinrm(RELEASE, `${CLASS_URI}/Msvm_DiskDrive`, release);
    expect((await faultOf(other)).subcode).toBe('n:InvalidEnumerationContext');
    const answer = await post(pywinrm(RELEASE, SYSTEM, release));
    expect(answer.status).toBe(200);
    expect((await faultOf(pywinrm(RELEASE, SYSTEM, release))).subcode).toBe('n:InvalidEnumerationContext');
  });
});
