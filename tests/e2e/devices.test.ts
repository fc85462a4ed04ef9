import { createConnection, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openstackClient, words, type Client } from '../support/clients.js';
import { ROOT, runOk } from '../support/run.js';
import { TestCloud } from '../support/test-cloud.js';

const GUESTS = process.env['NOVA_HYPERV_GUESTS'] ?? '';
const HOST = 'hv2019';

/** As the page about PCI devices has it. */
const NOVA_CONF = `
[hyperv]
enable_remotefx = true

[pci]
device_spec = { "vendor_id": "1234", "product_id": "11e8" }
device_spec = { "address": "0000:04:00.0" }
alias = { "name": "edu", "vendor_id": "1234", "product_id": "11e8" }
`;

interface ServerShown {
  readonly id: string;
  readonly status: string;
  readonly fault?: { readonly message: string } | string;
}

let cloud: TestCloud;
let openstack: Client;

async function consoleUntil(server: string, wanted: RegExp, timeoutMs = 200_000): Promise<string> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const text = (await openstack.ok('console', 'log', 'show', server)).replaceAll('\r', '');
    if (wanted.test(text)) return text;
    if (Date.now() > deadline)
      throw new Error(`no ${String(wanted)} on the console of ${server}:\n${text.slice(-3000)}`);
    await setTimeout(1000);
  }
}

/** What a guest writes to one of its pipes from now on; lines may be typed into it. */
class Pipe {
  #text = '';
  readonly #socket: Socket;
  constructor(folder: string, name: string) {
    this.#socket = createConnection(join(folder, name));
    this.#socket.on('data', (chunk) => (this.#text += String(chunk)));
  }
  static async open(server: string, suffix: 'ro' | 'rw'): Promise<Pipe> {
    const { id } = await openstack.json<ServerShown>('server', 'show', server);
    return new Pipe((await cloud.running()).hosts[0]!.pipes, `${id}_${suffix}`);
  }
  async until(wanted: RegExp, type?: string): Promise<string> {
    const deadline = Date.now() + 60_000;
    while (!wanted.test(this.#text)) {
      if (Date.now() > deadline) throw new Error(`no ${String(wanted)}:\n${this.#text.slice(-2000)}`);
      if (type !== undefined) this.#socket.write(`${type}\n`);
      await setTimeout(1000);
    }
    return this.#text;
  }
  close(): void {
    this.#socket.destroy();
  }
}

const image = (name: string, file: string, format: string, ...properties: readonly string[]) =>
  openstack.ok(
    ...words(`image create --container-format bare --disk-format ${format} --file ${file} ${name}`),
    ...properties.flatMap((property) => ['--property', property]),
  );
const boot = (name: string, imageName: string, flavor: string) =>
  openstack.run(
    ...words(`server create --image ${imageName} --flavor ${flavor} --network private --wait ${name}`),
  );
async function faultOf(name: string): Promise<string> {
  const server = await openstack.json<ServerShown>('server', 'show', name);
  expect(server.status).toBe('ERROR');
  return typeof server.fault === 'string' ? server.fault : (server.fault?.message ?? '');
}

beforeAll(async () => {
  cloud = await TestCloud.prepare({
    engine: 'qemu',
    hosts: [`${HOST}:2019,pci=edu,pci=pci-testdev,remotefx`],
    novaConf: NOVA_CONF,
  });
  await cloud.up();
  openstack = openstackClient(cloud);
  const iso = join(cloud.state, 'demo.iso');
  await runOk(join(ROOT, 'guests/build-iso'), ['--from', join(GUESTS, 'gen1.vhd'), '--out', iso]);
  await image('iso', iso, 'iso', 'logging_serial_port=2');
  await image('iso-gen2', iso, 'iso', 'hw_machine_type=hyperv-gen2');
  await image(
    'gen2',
    join(GUESTS, 'gen2.vhdx'),
    'vhdx',
    'hw_machine_type=hyperv-gen2',
    'interactive_serial_port=2',
  );
  await openstack.ok(
    ...words('flavor create --ram 512 --disk 1 --vcpus 1 --ephemeral 1 edu'),
    ...words('--property pci_passthrough:alias=edu:1 --property os:resolution=1600x1200'),
    ...words('--property os:monitors=2'),
  );
});

afterAll(async () => {
  await cloud?.destroy();
});

describe('a server with a device of the host and RemoteFX', () => {
  it('sees both, boots from its root, and talks on both serial ports', async () => {
    await boot('pci', 'gen2', 'edu');
    const interactive = await Pipe.open('pci', 'rw');
    const text = await consoleUntil('pci', /^HVG ready/m);
    expect(text).toMatch(/^HVG pci .*id=1234:11e8/m);
    expect(text).not.toMatch(/^HVG pci .*id=1b36:0005/m);
    // The adapter with several monitors in place of the plain one.
    expect(text).toMatch(/^HVG pci .*id=1af4:1050/m);
    expect(text).not.toMatch(/^HVG pci .*id=1234:1111/m);
    // The log is COM1's, read-only; COM2 is the interactive one.
    await interactive.until(/second-port alive/);
    interactive.close();
    expect(text).not.toMatch(/second-port alive/);
    expect(text).toMatch(/^HVG serial port=ttyS0 present=[1-9]/m);
    expect(text).toMatch(/^HVG serial port=ttyS1 present=[1-9]/m);
  });

  it('is the only one: the next finds no host, and does when the first is deleted', async () => {
    await boot('second', 'gen2', 'edu');
    expect(await faultOf('second')).toMatch(
      /No valid host was found\. No host has free PCI devices for edu:1/,
    );
    await openstack.ok('server', 'delete', '--wait', 'pci', 'second');
    await boot('third', 'gen2', 'edu');
    expect((await openstack.json<ServerShown>('server', 'show', 'third')).status).toBe('ACTIVE');
    await openstack.ok('server', 'delete', '--wait', 'third');
  });

  it('needs an alias that is known', async () => {
    await openstack.ok(
      ...words('flavor create --ram 512 --disk 1 --vcpus 1 --property pci_passthrough:alias=gpu:1 gpu'),
    );
    const { stderr } = await boot('never', 'gen2', 'gpu');
    expect(stderr).toMatch(/PCI alias gpu is not defined/);
  });

  it('shows the host’s devices to administrators', async () => {
    const rest = await cloud.rest();
    const detail = JSON.stringify(await rest.call('GET', '/compute/v2.1/os-hypervisors/detail'));
    expect(detail).toContain('"os-pci:pci_stats":[{"vendor_id":"1234","product_id":"11e8","count":1}');
    expect(detail).toContain('"total_video_ram":8192');
  });
});

describe('an ISO image', () => {
  it('boots first: generation 1 by BIOS from IDE, generation 2 by UEFI from SCSI', async () => {
    await boot('cd1', 'iso', 'm1.tiny');
    await boot('cd2', 'iso-gen2', 'm1.tiny');
    const second = await consoleUntil('cd2', /^HVG ready/m);
    expect(second).toMatch(/^HVG firmware kind=EFI/m);
    expect(second).toMatch(/^HVG (?:dvd|block) .*sr0/m);
    // logging_serial_port=2: the log has what the guest writes to COM2, and COM1 is interactive.
    const first = await consoleUntil('cd1', /second-port alive/m);
    expect(first).not.toMatch(/^HVG ready/m);
    const interactive = await Pipe.open('cd1', 'rw');
    const report = await interactive.until(/HVG firmware kind=\w+/, 'report');
    interactive.close();
    expect(report).toMatch(/HVG firmware kind=BIOS/);
    const tail = await openstack.ok('console', 'log', 'show', '--lines', '1', 'cd1');
    expect(tail.trimEnd().split('\n').length).toBeLessThanOrEqual(1);
    await openstack.ok('server', 'delete', '--wait', 'cd1', 'cd2');
  });
});
