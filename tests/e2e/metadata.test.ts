import { createHash } from 'node:crypto';
import { createConnection, type Socket } from 'node:net';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openstackClient, words, type Client } from '../support/clients.js';
import { runOk } from '../support/run.js';
import { TestCloud } from '../support/test-cloud.js';

const GUEST = join(process.env['NOVA_HYPERV_GUESTS'] ?? '', 'gen2.vhdx');
/** Several windows of TCP. */
const VENDOR_DATA = JSON.stringify({ long: 'vendor '.repeat(30_000) });
const USER_DATA = '#!/bin/sh\necho only for alice\n';

interface ServerShown {
  readonly id: string;
  readonly project_id: string;
  readonly addresses: Readonly<Record<string, readonly string[]>>;
}

let folder: string;
let cloud: TestCloud;
let openstack: Client;

/** A guest's console, which takes commands once it is ready. */
class GuestConsole {
  #text = '';
  readonly #socket: Socket;
  constructor(path: string) {
    this.#socket = createConnection(path);
    this.#socket.on('data', (chunk) => (this.#text += String(chunk).replaceAll('\r', '')));
  }

  async until(wanted: RegExp, timeoutMs = 150_000): Promise<RegExpExecArray> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const found = wanted.exec(this.#text);
      if (found !== null) return found;
      if (Date.now() > deadline) throw new Error(`no ${String(wanted)}:\n${this.#text.slice(-4000)}`);
      await setTimeout(200);
    }
  }

  /** What a command printed. */
  async run(command: string): Promise<string> {
    this.#text = '';
    // The port's buffer holds sixteen bytes.
    for (const piece of `${command}\n`.match(/[^]{1,16}/g) ?? []) {
      this.#socket.write(piece);
      await setTimeout(20);
    }
    const [whole] = await this.until(/^[^]*?HVG done cmd=.*$/m, 60_000);
    return whole;
  }

  close(): void {
    this.#socket.destroy();
  }
}

interface Guest {
  readonly server: ServerShown;
  readonly console: GuestConsole;
}

async function fetched(console: GuestConsole, path: string): Promise<string> {
  // Between marks, for the console shows the command, too.
  const printed = await console.run(
    `exec echo HVG_$((1)){; timeout 15 wget -q -O- http://169.254.169.254${path}; echo }HVG_$((2))`,
  );
  return /HVG_1\{\n([^]*)\}HVG_2/.exec(printed)?.[1] ?? printed;
}

async function boot(name: string, ...more: readonly string[]): Promise<Guest> {
  await openstack.ok(
    ...words(`server create --image gen2 --flavor m1.tiny --network private --wait`),
    ...more,
    name,
  );
  const server = await openstack.json<ServerShown>('server', 'show', name);
  const { hosts } = await cloud.running();
  const console = new GuestConsole(join(hosts[0]!.pipes, `${server.id}_rw`));
  return { server, console };
}

async function ready({ console }: Guest): Promise<void> {
  await console.until(/HVG ready/);
}

let alice: Guest;
let bob: Guest;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'metadata-'));
  const vendorData = join(folder, 'vendor.json');
  await writeFile(vendorData, VENDOR_DATA);
  cloud = await TestCloud.prepare({
    engine: 'qemu',
    hosts: ['hv1:2022'],
    novaConf: `[api]\nvendordata_jsonfile_path = ${vendorData}\n`,
  });
  await cloud.up();
  openstack = openstackClient(cloud);
  await openstack.ok(
    ...words('image create --disk-format vhd --container-format bare'),
    ...words('--property hypervisor_type=hyperv --property hw_machine_type=hyperv-gen2'),
    ...words('--property logging_serial_port=2'),
    '--file',
    GUEST,
    'gen2',
  );
  const key = join(cloud.state, 'key');
  await runOk('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'alice@here', '-f', key]);
  await openstack.ok('keypair', 'create', '--public-key', `${key}.pub`, 'alice-key');
  const userData = join(cloud.state, 'user-data');
  await writeFile(userData, USER_DATA);
  alice = await boot('alice', ...words('--key-name alice-key --config-drive True --user-data'), userData);
  bob = await boot('bob');
  await ready(alice);
  await ready(bob);
});

afterAll(async () => {
  alice?.console.close();
  bob?.console.close();
  await cloud?.destroy();
  await rm(folder, { recursive: true, force: true });
});

describe('a guest', () => {
  it('has the address of its port by DHCP', async () => {
    for (const { server, console } of [alice, bob]) {
      const [, , address] = /^(.*):(.*)$/.exec(`:${server.addresses['private']?.[0]}`) ?? [];
      const [lease] = await console.until(/HVG lease .*/, 30_000);
      expect(lease).toContain(`ip=${address} `);
      expect(lease).toMatch(
        /router=10\.10\.0\.1 .*mtu=1500 routes='169\.254\.169\.254\/32 10\.10\.0\.\d+ 0\.0\.0\.0\/0 10\.10\.0\.1'/,
      );
    }
    const ports = JSON.stringify(await openstack.json('port', 'list', '--device-owner', 'network:dhcp'));
    expect(ports).toMatch(/10\.10\.0\.\d+/);
  });

  it('is told who it is at 169.254.169.254', async () => {
    for (const [name, { server, console }] of [
      ['alice', alice],
      ['bob', bob],
    ] as const) {
      const found = await fetched(console, '/openstack/latest/meta_data.json');
      expect(JSON.parse(found)).toMatchObject({
        uuid: server.id,
        name,
        hostname: `${name}.novalocal`,
        project_id: server.project_id,
        availability_zone: 'nova',
        launch_index: 0,
      });
      expect(await fetched(console, '/latest/meta-data/local-ipv4')).toBe(server.addresses['private']?.[0]);
    }
    expect(await fetched(alice.console, '/openstack/latest/user_data')).toBe(USER_DATA);
    expect(await fetched(alice.console, '/latest/meta-data/public-keys/0/openssh-key')).toMatch(
      /^ssh-ed25519 .* alice@here/,
    );
  });

  it('gets as much as there is, byte for byte', async () => {
    const [, sum] =
      /HVG sum (\w+)/.exec(
        await alice.console.run(
          'exec echo HVG sum $(timeout 15 wget -q -O- http://169.254.169.254/openstack/latest/vendor_data.json|md5sum)',
        ),
      ) ?? [];
    expect(sum).toBe(createHash('md5').update(VENDOR_DATA).digest('hex'));
  });

  it('is never told of another, whatever it says of itself', async () => {
    const forged = `--header X-Instance-ID:${alice.server.id}`;
    const printed = await bob.console.run(
      `exec timeout 15 wget -q -O- ${forged} http://169.254.169.254/openstack/latest/meta_data.json`,
    );
    expect(printed).toContain(bob.server.id);
    expect(printed).not.toContain('alice');
    const userData = await bob.console.run('get http://169.254.169.254/openstack/latest/user_data');
    expect(userData).toMatch(/404/);
    const [, gateway = ''] = /server=(\S+)/.exec(await bob.console.run('dhcp eth0')) ?? [];
    const stolen = alice.server.addresses['private']?.[0] ?? '';
    const take = `ip addr add ${stolen}/24 dev eth0; ip route replace 169.254.169.254/32 via ${gateway} src ${stolen}`;
    await bob.console.run(`exec ${take}`);
    const asked = await bob.console.run('get http://169.254.169.254/latest/meta-data/hostname');
    expect(asked).toMatch(/No route to host|HVG http *\n/);
    expect(asked).not.toMatch(/alice/);
  });

  it('gets nothing by the MAC address of another', async () => {
    const [, mac = ''] = /link\/ether (\S+)/.exec(await alice.console.run('exec ip link show eth0')) ?? [];
    const change = `ip link set eth0 down; ip addr flush dev eth0; ip link set eth0 address ${mac} up`;
    expect(await bob.console.run(`exec ${change}; ip link show eth0`)).toContain(mac);
    expect(await bob.console.run('dhcp eth0')).not.toMatch(/HVG lease/);
    expect(await fetched(alice.console, '/latest/meta-data/hostname')).toBe('alice.novalocal');
  });

  it('reads its config drive', async () => {
    const { console, server } = alice;
    await console.run('exec mkdir -p /c; mount -o ro -t iso9660 /dev/sdb /c; echo HVG mount $?');
    const found = await console.run('exec cat /c/openstack/latest/meta_data.json');
    expect(found).toContain(`"uuid":"${server.id}"`);
    expect(await console.run('exec cat /c/openstack/latest/user_data')).toContain('echo only for alice');
  });
});
