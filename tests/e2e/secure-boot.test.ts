import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openstackClient, words, type Client } from '../support/clients.js';
import { consoleUntil } from '../support/console.js';
import { commandsOf, runAsAdmin } from '../support/feature-page.js';
import { TestCloud } from '../support/test-cloud.js';

const GUEST = join(process.env['NOVA_HYPERV_GUESTS'] ?? '', 'gen2.vhdx');
const OLD = 'hv2012r2';
const NEW = 'hv2022';

let cloud: TestCloud;
let openstack: Client;

interface ServerShown {
  readonly status: string;
  readonly fault?: { readonly message: string } | string;
  readonly 'OS-EXT-SRV-ATTR:host': string;
}

const show = (server: string) => openstack.json<ServerShown>('server', 'show', server);

beforeAll(async () => {
  cloud = await TestCloud.prepare({ engine: 'qemu', hosts: [`${OLD}:2012R2`, `${NEW}:2022`] });
  await cloud.up();
  openstack = openstackClient(cloud);
});

afterAll(async () => {
  await cloud?.destroy();
});

describe('Secure Boot, as its page says', () => {
  it('is on in a Linux guest with a signed loader, which Windows’ keys do not start', async () => {
    const [block = ''] = await commandsOf('secure-boot.md');
    // The same disk for both: what differs is whose signatures its firmware accepts.
    await runAsAdmin(cloud, block, { variables: { LINUX_IMAGE: GUEST, WINDOWS_IMAGE: GUEST } });
    expect((await show('linux-vm'))['OS-EXT-SRV-ATTR:host']).toBe(NEW);
    const linux = await consoleUntil(openstack, 'linux-vm', /^HVG ready/);
    expect(linux).toMatch(/booted by UEFI, Secure Boot on, root disk scsi 0:0:0:0/);
    expect(linux).toMatch(/^HVG firmware kind=EFI secureboot=1 setupmode=0/m);
    const windows = await consoleUntil(openstack, 'windows-vm', /Access Denied/);
    expect(windows).not.toContain('HVG ');
    expect((await show('windows-vm')).status).toBe('ACTIVE');
  });

  it('refuses what contradicts itself and what lacks os_type, and leaves nothing', async () => {
    await openstack.ok('image', 'set', '--property', 'os_secure_boot=disabled', 'linux-secure');
    const create = 'server create --image linux-secure --flavor m1.secure --network private --wait';
    const contradicting = await openstack.run(...words(`${create} contradicting`));
    expect(contradicting.code).not.toBe(0);
    expect(contradicting.stderr).toMatch(/conflicting with image .*\(HTTP 400\)/);
    await openstack.ok('image', 'set', '--property', 'os_secure_boot=optional', 'linux-secure');
    await openstack.ok(...words('image unset --property os_type linux-secure'));
    await openstack.run(...words(`${create} unsaid`));
    const unsaid = await show('unsaid');
    expect(unsaid.status).toBe('ERROR');
    expect(JSON.stringify(unsaid.fault)).toMatch(/os_type=windows or os_type=linux/);
    await openstack.ok(...words('server delete --wait unsaid linux-vm windows-vm'));
    for (const host of [OLD, NEW]) {
      expect(await cloud.machines(host)).toEqual([]);
      expect(await cloud.instanceFiles(host)).toEqual([]);
    }
  });
});
