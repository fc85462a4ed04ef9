import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EmulatedHost } from './options.js';
import { startEmulatedHost } from './start-host.js';

const run = promisify(execFile);
/** Debian's packages are for Debian's Python, whatever else is first in the path. */
const DEBIAN_PYTHON = '/usr/bin/python3';

/** python3-winrm's lower protocol class sends what we give it and knows nothing of our client. */
const PYTHON = String.raw`
import sys, uuid
import xml.etree.ElementTree as ET
from winrm.protocol import Protocol

protocol = Protocol(endpoint=sys.argv[1], transport='basic', username=sys.argv[2], password=sys.argv[3])
NS = {
    's': 'http://www.w3.org/2003/05/soap-envelope',
    'a': 'http://schemas.xmlsoap.org/ws/2004/08/addressing',
    'w': 'http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd',
    'n': 'http://schemas.xmlsoap.org/ws/2004/09/enumeration',
}
URI = 'http://schemas.microsoft.com/wbem/wsman/1/wmi/root/virtualization/v2/'

def envelope(action, resource, body):
    return f"""<s:Envelope xmlns:s="{NS['s']}" xmlns:a="{NS['a']}" xmlns:w="{NS['w']}" xmlns:n="{NS['n']}">
<s:Header><a:To>{sys.argv[1]}</a:To><w:ResourceURI s:mustUnderstand="true">{resource}</w:ResourceURI>
<a:ReplyTo><a:Address s:mustUnderstand="true">http://schemas.xmlsoap.org/ws/2004/08/addressing/role/anonymous</a:Address></a:ReplyTo>
<a:Action s:mustUnderstand="true">{action}</a:Action><w:MaxEnvelopeSize s:mustUnderstand="true">153600</w:MaxEnvelopeSize>
<a:MessageID>uuid:{uuid.uuid4()}</a:MessageID><w:OperationTimeout>PT60S</w:OperationTimeout></s:Header>
<s:Body>{body}</s:Body></s:Envelope>"""

def enumerate_class(name):
    resource = URI + name
    answer = ET.fromstring(protocol.send_message(envelope(NS['n'] + '/Enumerate', resource, '<n:Enumerate/>')))
    context = answer.find('.//n:EnumerationContext', NS).text
    while True:
        body = f'<n:Pull><n:EnumerationContext>{context}</n:EnumerationContext></n:Pull>'
        answer = ET.fromstring(protocol.send_message(envelope(NS['n'] + '/Pull', resource, body)))
        for item in answer.find('.//n:Items', NS) or []:
            print(item.tag.split('}')[1], [p.text for p in item if p.tag.endswith('}Name')][0])
        if answer.find('.//n:EndOfSequence', NS) is not None:
            return
        context = answer.find('.//n:EnumerationContext', NS).text

enumerate_class('Msvm_ComputerSystem')
enumerate_class('Msvm_VirtualEthernetSwitch')
`;

let stateDir: string;
let host: EmulatedHost;

beforeEach(async () => {
  stateDir = mkdtempSync(path.join(tmpdir(), 'winrm-'));
  host = await startEmulatedHost({
    name: 'HV01',
    release: '2019',
    stateDir,
    engine: 'none',
    switches: ['external', 'second'],
    credentials: { username: 'Administrator', password: 'a-test-password' },
    log: pino({ level: 'silent' }),
  });
});

afterEach(async () => {
  await host.stop('shut-down');
  rmSync(stateDir, { recursive: true, force: true });
});

describe('a WinRM client that is not ours', () => {
  it('enumerates classes of the host', async () => {
    const { username, password } = host.credentials;
    const { stdout } = await run(DEBIAN_PYTHON, ['-c', PYTHON, host.url, username, password], {
      timeout: 60_000,
    });
    const lines = stdout.trim().split('\n');
    expect(lines[0]).toBe('Msvm_ComputerSystem HV01');
    expect(lines.slice(1).map((line) => line.split(' ')[0])).toStrictEqual([
      'Msvm_VirtualEthernetSwitch',
      'Msvm_VirtualEthernetSwitch',
    ]);
  });

  it('is turned away with a wrong password', async () => {
    await expect(
      run(DEBIAN_PYTHON, ['-c', PYTHON, host.url, 'Administrator', 'wrong'], { timeout: 60_000 }),
    ).rejects.toThrow(/InvalidCredentialsError|rejected/);
  });
});
