import type { CimInstance, CimValue } from '@nova-hyperv/wsman';
import { describe, expect, it } from 'vitest';
import { textsOf, v2 } from '../cim.js';
import { define, pathTo, switchPath, wanted, withDisk } from '../testing/rule-host.js';
import { codeOf, find, hostMaker, running } from '../testing/rules.js';
import { addResource } from './add.js';
import { machineConfig } from './engine-config.js';
import { STATE, idOf, withSettings } from './model.js';
import type { Machine } from './model.js';
import { modifyResource } from './modify.js';
import { removeResource } from './remove.js';

const newHost = hostMaker();
const host = newHost();

function modify(
  machine: Machine,
  resource: CimInstance,
  properties: Readonly<Record<string, CimValue>>,
): Machine {
  return modifyResource(machine, v2(resource.className, { InstanceID: idOf(resource), ...properties }), host)
    .machine;
}

describe('adding', () => {
  const base = withDisk(host, define(host));
  const parent = pathTo(host, base.controller);
  const drive = pathTo(host, base.drive);
  const gen1 = define(host, 1);
  const ide = pathTo(host, find(gen1, 'ide-controller'));
  const scsi1 = addResource(gen1, wanted('scsi-controller'), host);
  const free = addResource(
    base.machine,
    wanted('disk-drive', { Parent: parent, AddressOnParent: '1' }),
    host,
  );
  const freeDrive = pathTo(host, free.added);
  const file = String.raw`C:\disks\b.vhdx`;
  const nic = addResource(base.machine, wanted('synthetic-nic'), host);
  const cases: readonly (readonly [rule: string, machine: Machine, settings: CimInstance, code: number])[] = [
    [
      'R1 a Parent that is no path',
      base.machine,
      wanted('disk-drive', { Parent: idOf(base.controller), AddressOnParent: '2' }),
      32773,
    ],
    [
      'R1 a Parent with single backslashes',
      base.machine,
      wanted('disk-drive', {
        Parent: `Msvm_ResourceAllocationSettingData.InstanceID="${idOf(base.controller)}"`,
        AddressOnParent: '2',
      }),
      32773,
    ],
    [
      'R1 a relative object path',
      base.machine,
      wanted('disk-drive', { Parent: parent.slice(parent.indexOf(':') + 1), AddressOnParent: '2' }),
      0,
    ],
    [
      'R2 a disk whose drive is not there',
      base.machine,
      wanted('hard-disk', { Parent: freeDrive, HostResource: [file] }),
      32773,
    ],
    ['R9 a taken slot', base.machine, wanted('disk-drive', { Parent: parent, AddressOnParent: '0' }), 32773],
    ['R9 slot 64', base.machine, wanted('disk-drive', { Parent: parent, AddressOnParent: '64' }), 32773],
    ['R9 slot 63', base.machine, wanted('disk-drive', { Parent: parent, AddressOnParent: '63' }), 0],
    [
      'R9 a drive below a drive',
      base.machine,
      wanted('disk-drive', { Parent: drive, AddressOnParent: '1' }),
      32773,
    ],
    ['C1 IDE slot 2', gen1, wanted('disk-drive', { Parent: ide, AddressOnParent: '2' }), 32773],
    ['C1 IDE slot 1', gen1, wanted('disk-drive', { Parent: ide, AddressOnParent: '1' }), 0],
    ['N2 another IDE controller', define(host), wanted('ide-controller'), 32773],
    ['C3 a controller while running', running(base.machine), wanted('scsi-controller'), 32775],
    [
      'C3 a drive on SCSI while running',
      running(base.machine),
      wanted('disk-drive', { Parent: parent, AddressOnParent: '5' }),
      0,
    ],
    [
      'C4 a drive on IDE while running',
      running(gen1),
      wanted('disk-drive', { Parent: ide, AddressOnParent: '1' }),
      32775,
    ],
    [
      'N8 a DVD on SCSI, generation 1',
      scsi1.machine,
      wanted('dvd-drive', { Parent: pathTo(host, scsi1.added), AddressOnParent: '0' }),
      32773,
    ],
    [
      'N8 a DVD on SCSI, generation 2',
      base.machine,
      wanted('dvd-drive', { Parent: parent, AddressOnParent: '7' }),
      0,
    ],
    [
      'C7 a file that is not there',
      free.machine,
      wanted('hard-disk', { Parent: freeDrive, HostResource: [String.raw`C:\disks\none.vhdx`] }),
      32779,
    ],
    [
      'C8 an extension that does not fit',
      free.machine,
      wanted('hard-disk', { Parent: freeDrive, HostResource: [String.raw`C:\disks\x.raw`] }),
      32773,
    ],
    [
      'a file in another case',
      free.machine,
      wanted('hard-disk', { Parent: freeDrive, HostResource: [String.raw`c:\DISKS\B.VHDX`] }),
      0,
    ],
    [
      'a second disk in a drive',
      base.machine,
      wanted('hard-disk', { Parent: drive, HostResource: [file] }),
      32773,
    ],
    [
      'an image in a disk drive',
      free.machine,
      wanted('dvd-disk', { Parent: freeDrive, HostResource: [String.raw`C:\disks\cd.iso`] }),
      32773,
    ],
    ['R1 no array of files', free.machine, wanted('hard-disk', { Parent: freeDrive }), 32773],
    [
      'C10 limit too high',
      free.machine,
      wanted('hard-disk', { Parent: freeDrive, HostResource: [file], IOPSLimit: 1_000_000_001n }),
      32773,
    ],
    [
      'C10 reservation above limit',
      free.machine,
      wanted('hard-disk', { Parent: freeDrive, HostResource: [file], IOPSLimit: 10n, IOPSReservation: 11n }),
      32773,
    ],
    [
      'C12 caching mode 1',
      free.machine,
      wanted('hard-disk', { Parent: freeDrive, HostResource: [file], CachingMode: 1 }),
      32773,
    ],
    ['N4 a legacy NIC, generation 2', base.machine, wanted('legacy-nic'), 32773],
    ['N4 a legacy NIC, generation 1', gen1, wanted('legacy-nic'), 0],
    ['E2 a NIC while running, generation 2', running(base.machine), wanted('synthetic-nic'), 0],
    ['E2 a NIC while running, generation 1', running(gen1), wanted('synthetic-nic'), 32775],
    [
      'E3 a MAC with separators',
      base.machine,
      wanted('synthetic-nic', { StaticMacAddress: true, Address: '00:15:5D:00:00:01' }),
      32773,
    ],
    [
      'E5 a connection below a drive',
      base.machine,
      wanted('connection', { Parent: drive, HostResource: [switchPath(host)] }),
      32773,
    ],
    [
      'E5 a connection to something else',
      nic.machine,
      wanted('connection', { Parent: pathTo(host, nic.added), HostResource: [drive] }),
      32773,
    ],
    [
      'E5 a connection',
      nic.machine,
      wanted('connection', { Parent: pathTo(host, nic.added), HostResource: [switchPath(host)] }),
      0,
    ],
    [
      'an unknown sub type',
      base.machine,
      v2('Msvm_ResourceAllocationSettingData', {
        ResourceType: 17,
        ResourceSubType: 'Microsoft:Hyper-V:Nothing',
      }),
      32773,
    ],
    [
      'a resource of a saved machine',
      { ...base.machine, enabledState: STATE.saved },
      wanted('synthetic-nic'),
      32775,
    ],
  ];
  it.each(cases)('%s', (_rule, machine, settings, code) => {
    expect(codeOf(() => addResource(machine, settings, host))).toBe(code);
  });

  it('four SCSI controllers, no fifth', () => {
    let machine = define(host);
    for (let number = 0; number < 4; number += 1)
      machine = addResource(machine, wanted('scsi-controller'), host).machine;
    expect(codeOf(() => addResource(machine, wanted('scsi-controller'), host))).toBe(32773);
  });

  it('four legacy NICs, no fifth', () => {
    let machine = gen1;
    for (let number = 0; number < 4; number += 1)
      machine = addResource(machine, wanted('legacy-nic'), host).machine;
    expect(codeOf(() => addResource(machine, wanted('legacy-nic'), host))).toBe(32773);
  });

  it('2012 R2 has no hot-added NICs', () => {
    const old = newHost('2012R2');
    expect(codeOf(() => addResource(running(define(old)), wanted('synthetic-nic'), old))).toBe(32775);
  });

  it('one connection for each NIC', () => {
    const connection = wanted('connection', {
      Parent: pathTo(host, nic.added),
      HostResource: [switchPath(host)],
    });
    const connected = addResource(nic.machine, connection, host).machine;
    expect(codeOf(() => addResource(connected, connection, host))).toBe(32773);
  });

  it('a connection to a switch that is gone is accepted, and the start is refused', () => {
    const gone = switchPath(host, 'AAAAAAAA-0000-4000-8000-00000000FFFF');
    const machine = addResource(
      nic.machine,
      wanted('connection', { Parent: pathTo(host, nic.added), HostResource: [gone] }),
      host,
    ).machine;
    expect(codeOf(() => machineConfig(machine, host))).toBe(32768);
  });
});

describe('modifying', () => {
  const base = withDisk(host, define(host));
  const memory = find(base.machine, 'memory');
  const processor = find(base.machine, 'processor');
  const port = find(base.machine, 'serial-port');
  const cases: readonly (readonly [
    rule: string,
    machine: Machine,
    resource: CimInstance,
    properties: Readonly<Record<string, CimValue>>,
    code: number,
  ])[] = [
    ['M1 too little memory', base.machine, memory, { VirtualQuantity: 31n }, 32773],
    ['M9 too much memory', base.machine, memory, { VirtualQuantity: 12_582_914n }, 32773],
    [
      'M2 dynamic: reservation above quantity',
      base.machine,
      memory,
      { DynamicMemoryEnabled: true, Reservation: 2048n, VirtualQuantity: 1024n, Limit: 4096n },
      32773,
    ],
    [
      'M2 dynamic in order',
      base.machine,
      memory,
      { DynamicMemoryEnabled: true, Reservation: 512n, VirtualQuantity: 1024n, Limit: 4096n },
      0,
    ],
    [
      'M2 static: limit and reservation do not matter',
      base.machine,
      memory,
      { Reservation: 2048n, VirtualQuantity: 2048n, Limit: 2048n },
      0,
    ],
    [
      'M1 dynamic and odd',
      base.machine,
      memory,
      { DynamicMemoryEnabled: true, Reservation: 511n, VirtualQuantity: 1024n, Limit: 4096n },
      32773,
    ],
    [
      'M1 dynamic and less than the smallest',
      base.machine,
      memory,
      { DynamicMemoryEnabled: true, Reservation: 16n, VirtualQuantity: 1024n, Limit: 4096n },
      32773,
    ],
    [
      'M9 dynamic and more than the largest',
      base.machine,
      memory,
      { DynamicMemoryEnabled: true, Reservation: 512n, VirtualQuantity: 1024n, Limit: 12_582_914n },
      32773,
    ],
    ['P4 nested', base.machine, processor, { ExposeVirtualizationExtensions: true }, 0],
    [
      'P4 nested in an old configuration version',
      withSettings(base.machine, { Version: '7.1' }),
      processor,
      { ExposeVirtualizationExtensions: true },
      32773,
    ],
    ['M3 buffer 4 %', base.machine, memory, { TargetMemoryBuffer: 4 }, 32773],
    [
      'M7 per node while running',
      running(base.machine),
      memory,
      { MaxMemoryBlocksPerNumaNode: 1024n },
      32775,
    ],
    ['P1 more processors than the host', base.machine, processor, { VirtualQuantity: 17n }, 32773],
    ['P1 none', base.machine, processor, { VirtualQuantity: 0n }, 32773],
    ['P1 four', base.machine, processor, { VirtualQuantity: 4n }, 0],
    ['P2 limit', base.machine, processor, { Limit: 100_001n }, 32773],
    ['P2 reservation above limit', base.machine, processor, { Reservation: 60_000n, Limit: 50_000n }, 32773],
    ['P3 count while running', running(base.machine), processor, { VirtualQuantity: 2n }, 32775],
    [
      'P5 feature limit while running',
      running(base.machine),
      processor,
      { LimitProcessorFeatures: true },
      32775,
    ],
    ['P2 weight while running', running(base.machine), processor, { Weight: 200 }, 0],
    ['C10 IOPS while running', running(base.machine), base.disk, { IOPSLimit: 500n }, 0],
    [
      'C4 a file swap on SCSI while running',
      running(base.machine),
      base.disk,
      { HostResource: [String.raw`C:\disks\b.vhdx`] },
      0,
    ],
    ['R11 a pipe', base.machine, port, { Connection: [String.raw`\\.\pipe\name`] }, 0],
    ['R11 something else', base.machine, port, { Connection: [String.raw`C:\name`] }, 32773],
    [
      'R11 a pipe of another host',
      base.machine,
      port,
      { Connection: [String.raw`\\other\pipe\name`] },
      32773,
    ],
    [
      'R8 an unknown InstanceID',
      base.machine,
      { ...memory, properties: { ...memory.properties, InstanceID: `${idOf(memory)}X` } },
      { VirtualQuantity: 64n },
      32773,
    ],
    ['a property that is not writable', base.machine, memory, { ResourceType: 5 }, 32773],
  ];
  it.each(cases)('%s', (_rule, machine, resource, properties, code) => {
    expect(codeOf(() => modify(machine, resource, properties))).toBe(code);
  });

  it('the file of an IDE disk while running', () => {
    const gen1 = define(host, 1);
    const drive = addResource(
      gen1,
      wanted('disk-drive', { Parent: pathTo(host, find(gen1, 'ide-controller')), AddressOnParent: '0' }),
      host,
    );
    const disk = addResource(
      drive.machine,
      wanted('hard-disk', { Parent: pathTo(host, drive.added), HostResource: [String.raw`C:\disks\c.vhd`] }),
      host,
    );
    const swap = { HostResource: [String.raw`C:\disks\a.vhdx`] };
    expect(codeOf(() => modify(running(disk.machine), disk.added, swap))).toBe(32775);
    expect(codeOf(() => modify(disk.machine, disk.added, swap))).toBe(0);
  });
});

describe('removing', () => {
  const base = withDisk(host, define(host));
  it('a drive that holds a disk is a fault', () => {
    expect(codeOf(() => removeResource(base.machine, idOf(base.drive), host))).toBe('WMI_ERROR');
  });

  it('a controller with drives is refused', () => {
    expect(codeOf(() => removeResource(base.machine, idOf(base.controller), host))).toBe(32773);
  });

  it('disk, drive and controller in this order leave nothing, also in the boot order', () => {
    let machine = base.machine;
    for (const part of [base.disk, base.drive, base.controller])
      machine = removeResource(machine, idOf(part), host);
    expect(machine.resources.size).toBe(define(host).resources.size);
    expect(textsOf(machine.settings.properties['BootSourceOrder'])).toStrictEqual([]);
  });

  it('a NIC takes its connection and features along', () => {
    const nic = addResource(base.machine, wanted('synthetic-nic'), host);
    const connected = addResource(
      nic.machine,
      wanted('connection', { Parent: pathTo(host, nic.added), HostResource: [switchPath(host)] }),
      host,
    );
    expect(removeResource(connected.machine, idOf(nic.added), host).resources.size).toBe(
      base.machine.resources.size,
    );
  });

  it('a NIC of a running generation 1 machine stays', () => {
    const nic = addResource(define(host, 1), wanted('synthetic-nic'), host);
    expect(codeOf(() => removeResource(running(nic.machine), idOf(nic.added), host))).toBe(32775);
  });
});
