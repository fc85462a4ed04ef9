import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sampleProvider } from '../testing/sample.js';
import { basicServerAuth } from './auth.js';
import { createWsmanServer } from './create-server.js';

/*
 * Debian's python3-winrm is a client that was not written for this server. Its Protocol sends raw WS-Management
 * messages: the headers are made by its own code, the bodies by the script below.
 */

const SCRIPT = String.raw`
import json, sys, uuid
import xml.etree.ElementTree as ET
import xmltodict
from winrm.protocol import Protocol
from winrm.exceptions import WinRMTransportError

url, user, password = sys.argv[1:4]
V2 = 'http://schemas.microsoft.com/wbem/wsman/1/wmi/root/virtualization/v2'
N = '{http://schemas.xmlsoap.org/ws/2004/09/enumeration}'
protocol = Protocol(url, transport='basic', username=user, password=password)

def message(resource, action, body, selectors=None):
    request = {'env:Envelope': protocol._get_soap_header(resource_uri=resource, action=action, message_id=uuid.uuid4())}
    if selectors:
        request['env:Envelope']['env:Header']['w:SelectorSet'] = {
            'w:Selector': [{'@Name': k, '#text': v} for k, v in selectors.items()]}
    request['env:Envelope']['env:Body'] = body
    return ET.fromstring(protocol.send_message(xmltodict.unparse(request)))

def local(element):
    return element.tag.split('}')[1]

out = {}
identify = ('<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:i="http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd">'
            '<s:Header/><s:Body><i:Identify/></s:Body></s:Envelope>')
root = ET.fromstring(protocol.send_message(identify))
out['vendor'] = [e.text for e in root.iter() if local(e) == 'ProductVendor'][0]

enumerate_uri = 'http://schemas.xmlsoap.org/ws/2004/09/enumeration/Enumerate'
pull_uri = 'http://schemas.xmlsoap.org/ws/2004/09/enumeration/Pull'
query = "SELECT * FROM Msvm_ComputerSystem WHERE ElementName LIKE 'machine-%'"
root = message(V2 + '/*', enumerate_uri, {'n:Enumerate': {'w:Filter': {'@Dialect': 'http://schemas.microsoft.com/wbem/wsman/1/WQL', '#text': query}}})
context = root.find('.//' + N + 'EnumerationContext').text
names, pulls = [], 0
while context:
    root = message(V2 + '/*', pull_uri, {'n:Pull': {'n:EnumerationContext': context, 'n:MaxElements': '4'}})
    pulls += 1
    names += [e.text for e in root.iter() if local(e) == 'ElementName']
    found = root.find('.//' + N + 'EnumerationContext')
    context = found.text if found is not None else None
out['names'], out['pulls'] = names, pulls

system = V2 + '/Msvm_ComputerSystem'
keys = {'CreationClassName': 'Msvm_ComputerSystem', 'Name': '00000000-0000-4000-8000-000000000003'}
root = message(system, 'http://schemas.xmlsoap.org/ws/2004/09/transfer/Get', None, keys)
out['get'] = {local(e): e.text for e in root.find('.//{%s}Msvm_ComputerSystem' % system)}
root = message(system, system + '/RequestStateChange', {'q:RequestStateChange_INPUT': {'@xmlns:q': system, 'q:RequestedState': '2'}}, keys)
out['returned'] = root.find('.//{%s}ReturnValue' % system).text
try:
    message(system, system + '/Nonsense', {'q:Nonsense_INPUT': {'@xmlns:q': system}}, keys)
except WinRMTransportError as error:
    out['fault'] = [error.code, 'ActionNotSupported' in error.response_text]
except Exception as error:
    out['fault'] = [type(error).__name__, str(error)]
try:
    Protocol(url, transport='basic', username=user, password='wrong').send_message(identify)
except Exception as error:
    out['unauthorized'] = type(error).__name__
print(json.dumps(out))
`;

const server = createWsmanServer({
  provider: sampleProvider(10, {
    methods: {
      'Msvm_ComputerSystem.RequestStateChange': ({ RequestedState }, target) => ({
        returnValue: RequestedState === 2 && target?.properties['ElementName'] === 'machine-3' ? 4096 : 1,
        out: {},
      }),
    },
  }),
  auth: basicServerAuth([{ user: 'Administrator', password: 'pass word' }]),
});
let url = '';

beforeAll(async () => {
  ({ url } = await server.listen(0));
});
afterAll(() => server.close());

describe('python3-winrm', () => {
  it('identifies, enumerates, gets and invokes', async () => {
    const run = promisify(execFile);
    const { stdout } = await run('/usr/bin/python3', ['-c', SCRIPT, url, 'Administrator', 'pass word'], {
      timeout: 60_000,
    });
    const out: unknown = JSON.parse(stdout);
    expect(out).toMatchObject({
      vendor: 'Microsoft Corporation',
      names: Array.from({ length: 10 }, (_, index) => `machine-${index}`),
      pulls: 3,
      get: { ElementName: 'machine-3', EnabledState: '3', OperationalStatus: '2' },
      returned: '4096',
      unauthorized: 'InvalidCredentialsError',
    });
    expect(JSON.stringify(out)).toMatch(/"fault":\[(?:500,true|"WinRMError","[^"]*invalid method)/iu);
    expect(server.openEnumerations).toBe(0);
  });
});
