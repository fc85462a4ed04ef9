import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { isCimReference, type CimInstance, type WsmanClient } from '@nova-hyperv/wsman';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openstackClient, words, type Client } from '../support/clients.js';
import { commandsOf, runAsAdmin } from '../support/feature-page.js';
import { TestCloud } from '../support/test-cloud.js';

const GUEST = join(process.env['NOVA_HYPERV_GUESTS'] ?? '', 'gen2.vhdx');
const V2 = 'root/virtualization/v2';
const PLAIN = 'plain';
const GUARDED = 'guarded';

let cloud: TestCloud;
let openstack: Client;
let host: WsmanClient;
let work: string;
let pipe: Socket | undefined;

interface ServerShown {
  readonly status: string;
  readonly fault?: unknown;
  readonly 'OS-EXT-SRV-ATTR:host': string;
  readonly 'OS-EXT-SRV-ATTR:instance_name': string;
}

const show = (server: string) => openstack.json<ServerShown>('server', 'show', server);

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'nova-hyperv-pdk-'));
  cloud = await TestCloud.prepare({ engine: 'qemu', hosts: [`${PLAIN}:2022`, `${GUARDED}:2022,guarded=on`] });
  await cloud.up();
  openstack = openstackClient(cloud);
  host = await cloud.wsman(GUARDED);
});

afterAll(async () => {
  pipe?.destroy();
  await host?.close();
  await cloud?.destroy();
  await rm(work, { recursive: true, force: true });
});

async function idOf(server: string): Promise<string> {
  const { 'OS-EXT-SRV-ATTR:instance_name': name } = await show(server);
  const [found] = await host.query(V2, `SELECT Name FROM Msvm_ComputerSystem WHERE ElementName='${name}'`);
  const id = found?.instance.properties['Name'];
  if (typeof id !== 'string') throw new Error(`${GUARDED} has no machine ${name}`);
  return id;
}

async function settings(className: string, machineId: string): Promise<CimInstance> {
  const [found] = await host.query(
    V2,
    `SELECT * FROM ${className} WHERE InstanceID LIKE 'Microsoft:${machineId}%'`,
  );
  if (found === undefined) throw new Error(`no ${className} of ${machineId}`);
  return found.instance;
}

/** What an administrator of the host would do to listen: connects COM1 to a pipe. The return value, or the job's error code. */
async function connectCom1(machineId: string, name: string): Promise<number> {
  const port = await settings('Msvm_SerialPortSettingData', machineId);
  const changed = { InstanceID: port.properties['InstanceID'] ?? null, Connection: [`\\\\.\\pipe\\${name}`] };
  const service = {
    kind: 'reference',
    namespace: V2,
    className: 'Msvm_VirtualSystemManagementService',
    keys: { CreationClassName: 'Msvm_VirtualSystemManagementService' },
  } as const;
  const { returnValue, out } = await host.invoke(service, 'ModifyResourceSettings', {
    ResourceSettings: [
      { kind: 'instance', namespace: V2, className: 'Msvm_SerialPortSettingData', properties: changed },
    ],
  });
  for (;;) {
    const job = out['Job'];
    if (returnValue !== 4096 || !isCimReference(job)) return returnValue;
    const { properties } = await host.get(job);
    if (Number(properties['JobState']) >= 7) return Number(properties['ErrorCode']);
    await setTimeout(100);
  }
}

/** What has come over the host's pipe and was not heard yet. */
let heard = '';

/** Everything that comes over the host's pipe until it says what is waited for. */
async function hear(name: string, wanted: RegExp): Promise<string> {
  const { hosts } = await cloud.running();
  const file = join(hosts.find((one) => one.name === GUARDED)?.pipes ?? '', name);
  for (const until = Date.now() + 200_000; Date.now() < until; await setTimeout(100)) {
    if (pipe === undefined || pipe.destroyed) {
      pipe = connect(file);
      pipe.on('error', () => undefined);
      pipe.on('data', (chunk: Buffer) => {
        heard += chunk.toString('latin1').replaceAll('\r', '');
      });
    }
    if (!wanted.test(heard)) continue;
    const text = heard;
    heard = '';
    return text;
  }
  throw new Error(`no ${String(wanted)} on ${name}: ${heard.slice(-1500)}`);
}

describe('secured machines, as their page says', () => {
  it('are built on the guarded host, and have no console', async () => {
    const [block = ''] = await commandsOf('vtpm-shielded.md');
    await runAsAdmin(cloud, block, { variables: { WORK: work, LINUX_IMAGE: GUEST, WINDOWS_IMAGE: GUEST } });
    for (const [server, shielded] of [
      ['tpm-vm', false],
      ['shielded-vm', true],
    ] as const) {
      const shown = await show(server);
      expect([shown.status, shown['OS-EXT-SRV-ATTR:host']]).toEqual(['ACTIVE', GUARDED]);
      const security = await settings('Msvm_SecuritySettingData', await idOf(server));
      expect(security.properties).toMatchObject({
        TpmEnabled: true,
        EncryptStateAndVmMigrationTraffic: true,
        ShieldingRequested: shielded,
      });
      const console = await openstack.run(...words(`console log show ${server}`));
      expect(console.code).not.toBe(0);
      expect(console.stderr).toMatch(/404/);
      expect(console.stderr).toMatch(/is a secured machine/);
    }
    // The shielding data itself stays nowhere on the host.
    expect((await cloud.instanceFiles(GUARDED)).filter((file) => /pdk|fsk/.test(file))).toEqual([]);
  });

  it('show the guest a TPM that measured how it booted', async () => {
    await openstack.ok(...words('server stop tpm-vm'));
    await expect.poll(async () => (await show('tpm-vm')).status, { timeout: 120_000 }).toBe('SHUTOFF');
    expect(await connectCom1(await idOf('tpm-vm'), 'listening')).toBe(0);
    await openstack.ok(...words('server start tpm-vm'));
    const text = await hear('listening', /^HVG ready\n/m);
    expect(text).toMatch(/^HVG firmware kind=EFI secureboot=1/m);
    expect(text).toMatch(/^HVG tpm present=1 version=2 .*pcr7=(?!0{64})[\dA-F]{64}/m);
  });

  it('are refused where no host is guarded, and for shielding data that is not there', async () => {
    const missing = '11111111-0000-4000-8000-000000000001';
    const create = 'server create --image linux-tpm --flavor m1.tiny --network private';
    await openstack.run(
      ...words(`${create} --property img_pdk_reference=http://x/v1/containers/${missing} --wait nothing`),
    );
    expect(JSON.stringify((await show('nothing')).fault)).toMatch(/shielding data .* cannot be read/);
    await openstack.ok(...words(`compute service set --disable ${GUARDED} nova-compute`));
    await openstack.run(...words(`${create} --property img_pdk_reference=x --wait unguarded`));
    const { status, fault } = await show('unguarded');
    expect(status).toBe('ERROR');
    expect(JSON.stringify(fault)).toMatch(/needs a guarded host|No valid host/);
    await openstack.ok(...words('server delete --wait nothing unguarded tpm-vm shielded-vm'));
    for (const name of [PLAIN, GUARDED]) {
      expect(await cloud.machines(name)).toEqual([]);
      expect(await cloud.instanceFiles(name)).toEqual([]);
    }
  });
});
