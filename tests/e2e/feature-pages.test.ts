import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { computeConfig, computeOptions, driverOptions, NovaConf } from '@nova-hyperv/compute';
import type { VmSpec } from '@nova-hyperv/driver';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { commandsOf, featurePages, novaConfOf, runAsAdmin } from '../support/feature-page.js';
import type { Rest, Server } from '../support/rest.js';
import { ROOT, runOk } from '../support/run.js';
import { TestCloud } from '../support/test-cloud.js';

// What the pages tell an operator to type is typed, with Debian's clients. Guests are looked into elsewhere.
const GUESTS = process.env['NOVA_HYPERV_GUESTS'] ?? '';
const NEW = 'hyperv1';
const OLD = 'hyperv2';

/** Pages whose commands are run by a test of the same name, because their guests have to boot. */
const RUN_ELSEWHERE = ['secure-boot.md', 'vtpm-shielded.md'];
/** Pages without commands: nova.conf is a file, which all hosts here read; back ends are chosen by the types of block-storage.md. */
const WITHOUT_COMMANDS = ['nova-conf.md', 'volume-backends.md'];
const PAGES_WITH_OPTIONS = ['nova-conf.md', 'metrics.md', 'pci-devices.md', 'remotefx.md'];

let cloud: TestCloud;
let rest: Rest;
let work: string;

const serverOf = async (name: string): Promise<Server> => {
  const found = (await rest.servers()).find((server) => server.name === name);
  if (found === undefined) throw new Error(`there is no server ${name}`);
  return found;
};

/** The machine of a server as its host has it. */
async function machineOf(name: string): Promise<VmSpec> {
  const server = await serverOf(name);
  expect(server, JSON.stringify(server.fault)).toMatchObject({ status: 'ACTIVE' });
  const shown = await runAsAdmin(cloud, `nova-hyperv vm show ${server.id} --json --state "$STATE"`, {
    variables: { STATE: cloud.state },
  });
  return (JSON.parse(shown) as { spec: VmSpec }).spec;
}

/** Types what a page says; what it printed. */
async function type(page: string): Promise<string> {
  return runAsAdmin(cloud, (await commandsOf(page)).join('\n'), { cwd: work });
}

const fileName = (path: string | undefined): string | undefined => path?.split('\\').at(-1);

async function imageMade(): Promise<{ readonly id: string }> {
  const { images } = await rest.call<{ images: { id: string }[] }>('GET', '/image/v2/images?name=gen2');
  expect(images).toMatchObject([{ status: 'active', disk_format: 'vhd', hypervisor_type: 'hyperv' }]);
  return images[0]!;
}

interface Volume {
  readonly name: string | null;
  readonly status: string;
  readonly volume_type: string;
}

/** All volumes, once nothing is done with them any more. */
async function volumesSettled(): Promise<readonly Volume[]> {
  for (;;) {
    const { volumes } = await rest.call<{ volumes: Volume[] }>('GET', '/volume/v3/volumes/detail');
    if (!volumes.some(({ status }) => status.endsWith('ing'))) return volumes;
    await setTimeout(250);
  }
}

/** Each tells whether what its page promises has come true. The pages' servers stand side by side. */
const PAGES: Readonly<Record<string, (output: string) => Promise<void>>> = {
  'memory-and-processor.md': async () => {
    const { processors, memory, chassisAssetTag } = await machineOf('cpu-limited');
    expect(processors).toMatchObject({ count: 2, weight: 50, limitFeatures: true });
    expect(processors.limit).toBeLessThan(100_000);
    expect(memory).toEqual({ dynamic: true, startupMb: 256, minimumMb: 256, maximumMb: 512 });
    expect(chassisAssetTag).toBe('OpenStack Nova');
  },
  'disk-limits.md': async () => {
    const { drives } = await machineOf('disk-limited');
    expect(drives.map(({ path, iopsLimit }) => [fileName(path), iopsLimit])).toEqual([
      ['root.vhdx', 1280],
      ['eph0.vhdx', 1280],
    ]);
  },
  'vnuma.md': async (output) => {
    const { processors, memory } = await machineOf('numa');
    expect(processors.numa).toMatchObject({ processorsPerNode: 1, memoryMbPerNode: 1024 });
    expect(memory).toMatchObject({ dynamic: false, startupMb: 2048 });
    expect(output).toMatch(/HYPERV1: 2 NUMA nodes/);
    expect(output).toMatch(/HYPERV[12]: [^]*instance-\d+ +1024 MB[^]*instance-\d+ +1024 MB/);
    expect(output).toMatch(/memory_mb.*1024/);
  },
  'nested-virtualization.md': async () => {
    const { processors, memory, nics } = await machineOf('nested');
    expect(processors.nestedVirtualization).toBe(true);
    expect(memory.dynamic).toBe(false);
    expect(nics).toMatchObject([{ macSpoofing: true }]);
  },
  'pci-devices.md': async () => {
    expect((await machineOf('gpu')).pciDevices).toHaveLength(1);
    expect((await serverOf('gpu'))['OS-EXT-SRV-ATTR:host']).toBe(NEW);
  },
  'remotefx.md': async () => {
    expect((await machineOf('remotefx')).video).toMatchObject({ kind: 'remotefx', monitors: 2, vramMb: 512 });
    expect((await serverOf('remotefx'))['OS-EXT-SRV-ATTR:host']).toBe(OLD);
  },
  'boot-order.md': async () => {
    const { firmware, drives, nics } = await machineOf('boot-order');
    expect(drives.map(({ path }) => fileName(path))).toEqual(['root.vhdx', 'eph0.vhdx']);
    expect(firmware).toEqual({ kind: 'uefi', bootOrder: ['scsi:0:0', `nic:${nics[0]?.portId}`] });
    const first = await machineOf('from-iso');
    expect(first.firmware).toEqual({ kind: 'bios', bootOrder: ['cd', 'hard-disk', 'network', 'floppy'] });
    expect(first.drives[0]).toMatchObject({ bus: 'ide', controller: 0, slot: 0, kind: 'dvd' });
    const second = await machineOf('from-iso-gen2');
    const dvd = second.drives.find(({ kind }) => kind === 'dvd');
    expect(fileName(dvd?.path)).toBe('root.iso');
    expect(second.firmware.bootOrder[0]).toBe(`scsi:0:${dvd?.slot}`);
  },
  'block-storage.md': async (output) => {
    expect(output).toMatch(/\| system +\| available +\| +1 \|.*\| true /);
    const volumes = await volumesSettled();
    const byName = new Map(volumes.map((volume) => [volume.name ?? volume.volume_type, volume]));
    expect(byName.get('data')).toMatchObject({ status: 'available', size: 2, bootable: 'false' });
    expect(byName.get('system')).toMatchObject({ status: 'available', bootable: 'true' });
    expect(byName.get('limited')).toMatchObject({ status: 'available', size: 1 });
  },
  'serial-ports.md': async () => {
    const { id } = await serverOf('serial');
    expect((await machineOf('serial')).serialPorts).toEqual([
      { number: 1, pipe: `\\\\.\\pipe\\${id}_ro` },
      { number: 2, pipe: `\\\\.\\pipe\\${id}_rw` },
    ]);
  },
  'metrics.md': async (output) => {
    // Both clients show it; disks are told because the option is on.
    expect(output.match(/\| uptime +\| \d+ /g)).toHaveLength(2);
    expect(output).toMatch(/\| memory_details \| \{'maximum': 512, 'used': 256\}/);
    expect(output).toMatch(/\| disk_details +\| \[\{'read_bytes': \d+/);
    expect(output).toMatch(/\| nic_details +\| .*'rx_octets': \d+/);
  },
  'config-drive.md': async (output) => {
    const { drives } = await machineOf('with-drive');
    expect(drives.map(({ path }) => fileName(path))).toEqual(['root.vhdx', 'configdrive.vhd']);
    expect(output).toMatch(/\| config_drive \| True/);
  },
  'metadata-service.md': async (output) => {
    await machineOf('asks');
    expect(output).toMatch(/private.*10\.10\.0\.\d+/);
  },
  'volumes.md': async () => {
    // 10 MiB in units of 8 KiB.
    await vi.waitFor(async () => {
      const limits = (await machineOf('keeps-data')).drives.map(({ iopsLimit }) => iopsLimit);
      expect(limits).toEqual([0, 1280]);
    }, 20_000);
    const { drives, firmware } = await machineOf('on-a-volume');
    expect(drives).toMatchObject([{ kind: 'disk', path: expect.stringMatching(/volume-.*\.vhdx$/) }]);
    expect(firmware.bootOrder[0]).toBe('scsi:0:0');
  },
  'snapshots.md': async () => {
    const { images } = await rest.call<{ images: Record<string, unknown>[] }>(
      'GET',
      '/image/v2/images?name=imaged-today',
    );
    expect(images).toMatchObject([{ status: 'active', image_type: 'snapshot' }]);
    expect((await machineOf('imaged-copy')).generation).toBe(2);
  },
  'resize.md': async (output) => {
    await rest.waitServers(({ name, status }) => name !== 'vm' || status !== 'REVERT_RESIZE', 60_000);
    const { processors, memory } = await machineOf('vm');
    expect(processors.count).toBe(1);
    expect(memory.maximumMb).toBe(2048);
    expect(output).toMatch(/\| confirmed /);
    expect(output).toMatch(/\| confirmResize /);
  },
};

beforeAll(async () => {
  const novaConf = (await Promise.all(PAGES_WITH_OPTIONS.map(novaConfOf))).join('\n');
  cloud = await TestCloud.prepare({
    engine: 'none',
    hosts: [`${NEW}:2022,numa=2,memory=32G,pci=edu`, `${OLD}:2016,numa=2,memory=32G,remotefx`],
    novaConf,
  });
  await cloud.up();
  rest = await cloud.rest();
  work = join(cloud.state, 'operator');
  await mkdir(join(work, 'iso'), { recursive: true });
  await symlink(cloud.state, join(work, 'state'));
  const disk = ['convert', '-O', 'qcow2', join(GUESTS, 'gen2.vhdx'), join(work, 'disk.qcow2')];
  await runOk('qemu-img', disk);
  await writeFile(join(work, 'iso', 'readme.txt'), 'nothing boots here\n');
  await runOk('xorriso', ['-as', 'mkisofs', '-o', join(work, 'debian.iso'), join(work, 'iso')]);
  // Makes the image of all others' servers.
  await type('images.md');
  await imageMade();
});

afterAll(async () => {
  await cloud?.destroy();
});

describe('the pages about features', () => {
  it('have commands, and all are run', async () => {
    const known = ['images.md', ...Object.keys(PAGES), ...RUN_ELSEWHERE, ...WITHOUT_COMMANDS];
    expect(await featurePages()).toEqual(known.toSorted());
    for (const page of RUN_ELSEWHERE) {
      await commandsOf(page);
      const test = await readFile(join(ROOT, 'tests/e2e', page.replace('.md', '.test.ts')), 'utf8');
      expect(test).toContain(`await commandsOf('${page}')`);
    }
  });

  it('nova-conf.md: its file is read as it says', async () => {
    const conf = NovaConf.parse(await novaConfOf('nova-conf.md'));
    expect(driverOptions(conf)).toEqual({
      instancesPath: 'C:\\OpenStack\\Instances',
      dynamicMemoryRatio: 2,
      limitCpuFeatures: true,
      removeUnusedOriginalMinimumAgeSeconds: 3600,
      pciPassthrough: false,
    });
    expect(computeConfig(computeOptions(conf))).toMatchObject({
      reservedHostMemoryMb: 1024,
    });
    const { absolute } = (
      await rest.call<{ limits: { absolute: Record<string, number> } }>('GET', '/compute/v2.1/limits')
    ).limits;
    expect(absolute['maxTotalInstances']).toBe(50);
  });
});

describe.concurrent('their commands do what they say', () => {
  it.for(Object.entries(PAGES))('%s', async ([page, check]) => {
    await check(await type(page));
  });
});
