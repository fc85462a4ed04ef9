import { describe, expect, it } from 'vitest';
import type { MachineConfig } from '../engine.js';
import { drive, machine } from '../testing/machine-config.js';
import { buildArgv } from './argv.js';
import type { QemuFacts } from './detect.js';

const FACTS: QemuFacts = {
  binary: '/usr/bin/qemu-system-x86_64',
  version: '7.2.22',
  machineTypes: { 1: 'pc-i440fx-7.2', 2: 'pc-q35-7.2' },
  accelerator: 'tcg',
};
const PATHS = { runFolder: '/run/m', machineFolder: '/state/m' };
const FIRMWARE = { code: '/fw/code.fd', variables: '/state/m/nvram.fd', isProtected: false };

function argv(config: MachineConfig, facts = FACTS): readonly string[] {
  const sectors = new Map(config.drives.map((each) => [each.id, { logical: 512, physical: 4096 }]));
  return buildArgv({ config, sectors, firmware: FIRMWARE }, PATHS, facts);
}

/** Options with their values on one line each. */
function lines(config: MachineConfig, facts = FACTS): string[] {
  return argv(config, facts)
    .join('\n')
    .replaceAll(/\n(?!-)/g, ' ')
    .split('\n');
}

const GEN1 = machine({
  generation: 1,
  name: 'first, of two',
  serialNumber: '1234',
  chassisAssetTag: '7783',
  firmware: { bootOrder: ['ide-1-0', 'ide-0-0'] },
  drives: [
    drive({ id: 'ide-0-0', bus: 'ide', path: '/c/root.vhd', iopsLimit: 200 }),
    drive({ id: 'ide-1-0', bus: 'ide', controller: 1, kind: 'dvd', path: '/c/config.iso' }),
    drive({ id: 'scsi-0-5', slot: 5, path: '/c/data.vhdx', readOnly: true }),
  ],
  nics: [
    { id: 'n1', type: 'synthetic', mac: '00:15:5d:00:00:01' },
    { id: 'n2', type: 'legacy', mac: '00:15:5d:00:00:02' },
  ],
  serialPorts: [{ pipe: 'console' }],
});

const GEN2 = machine({
  firmware: { bootOrder: ['scsi-0-0', 'n1'] },
  scsiControllers: [0, 1],
  drives: [
    drive({ path: '/c/root.vhdx' }),
    drive({ id: 'scsi-0-1', slot: 1, kind: 'dvd' }),
    drive({ id: 'scsi-1-63', controller: 1, slot: 63 }),
  ],
  nics: [{ id: 'n1', type: 'synthetic', mac: '00:15:5d:00:00:01', switchId: 's' }],
  serialPorts: [{ pipe: 'console' }],
});

describe('the command line of QEMU', () => {
  it('is this for generation 1', () => {
    expect(lines(GEN1)).toMatchInlineSnapshot(`
      [
        "-no-user-config",
        "-nodefaults",
        "-display none",
        "-name guest=first,, of two,process=hv-6F1C7A52",
        "-accel tcg,thread=multi,tb-size=128",
        "-cpu Nehalem",
        "-m size=512M",
        "-smp 1",
        "-machine pc-i440fx-7.2,vmport=off",
        "-device {"driver":"VGA","id":"video0"}",
        "-device {"driver":"virtio-scsi-pci","id":"scsi0"}",
        "-smbios type=1,manufacturer=Microsoft,product=Virtual Machine,serial=1234,uuid=6F1C7A52-1111-4000-8000-000000000001",
        "-smbios type=3,manufacturer=Microsoft,asset=7783",
        "-chardev socket,id=com1,path=/run/m/com1,server=on,wait=off,logfile=/state/m/com1.log,logappend=on",
        "-serial chardev:com1",
        "-chardev socket,id=com2,path=/run/m/com2,server=on,wait=off,logfile=/state/m/com2.log,logappend=on",
        "-serial chardev:com2",
        "-chardev socket,id=qmp,path=/run/m/qmp,server=on,wait=off",
        "-mon chardev=qmp,mode=control",
        "-boot strict=on",
        "-object {"qom-type":"throttle-group","id":"g-ide0-0","limits":{"iops-total":200,"iops-size":8192}}",
        "-blockdev {"driver":"nbd","node-name":"n-ide0-0-0","server":{"type":"unix","path":"/run/m/nbd"},"export":"ide0-0","reconnect-delay":3600,"read-only":false,"discard":"unmap"}",
        "-blockdev {"driver":"throttle","node-name":"t-ide0-0","throttle-group":"g-ide0-0","file":"n-ide0-0-0","read-only":false,"discard":"unmap"}",
        "-device {"driver":"ide-hd","id":"d-ide0-0","bus":"ide.0","unit":0,"drive":"t-ide0-0","model":"Virtual HD","serial":"HV-IDE0-0","logical_block_size":512,"physical_block_size":4096,"bootindex":1}",
        "-blockdev {"driver":"raw","node-name":"n-ide1-0-0","read-only":true,"file":{"driver":"file","filename":"/c/config.iso","read-only":true}}",
        "-device {"driver":"ide-cd","id":"d-ide1-0","bus":"ide.1","unit":0,"drive":"n-ide1-0-0","model":"Virtual CD","serial":"HV-IDE1-0","logical_block_size":512,"physical_block_size":4096,"bootindex":0}",
        "-object {"qom-type":"throttle-group","id":"g-scsi0-5","limits":{"iops-total":0,"iops-size":0}}",
        "-blockdev {"driver":"nbd","node-name":"n-scsi0-5-0","server":{"type":"unix","path":"/run/m/nbd"},"export":"scsi0-5","reconnect-delay":3600,"read-only":true,"discard":"unmap"}",
        "-blockdev {"driver":"throttle","node-name":"t-scsi0-5","throttle-group":"g-scsi0-5","file":"n-scsi0-5-0","read-only":true,"discard":"unmap"}",
        "-device {"driver":"scsi-hd","id":"d-scsi0-5","bus":"scsi0.0","channel":0,"scsi-id":0,"lun":5,"drive":"t-scsi0-5","vendor":"Msft","product":"Virtual Disk","ver":"1.0","serial":"HV-SCSI0-5","logical_block_size":512,"physical_block_size":4096}",
        "-netdev {"type":"stream","id":"net-676b8bb8","server":true,"addr":{"type":"unix","path":"/run/m/n-676b8bb8"}}",
        "-device {"driver":"virtio-net-pci","id":"nic-676b8bb8","netdev":"net-676b8bb8","mac":"00:15:5d:00:00:01","romfile":""}",
        "-netdev {"type":"stream","id":"net-0480a93d","server":true,"addr":{"type":"unix","path":"/run/m/n-0480a93d"}}",
        "-device {"driver":"tulip","id":"nic-0480a93d","netdev":"net-0480a93d","mac":"00:15:5d:00:00:02"}",
        "-S",
      ]
    `);
  });

  it('is this for generation 2', () => {
    expect(lines(GEN2)).toMatchInlineSnapshot(`
      [
        "-no-user-config",
        "-nodefaults",
        "-display none",
        "-name guest=vm,process=hv-6F1C7A52",
        "-accel tcg,thread=multi,tb-size=128",
        "-cpu Nehalem",
        "-m size=512M",
        "-smp 1",
        "-machine pc-q35-7.2,i8042=off,vmport=off,sata=off,pflash0=fw,pflash1=nv",
        "-global ICH9-LPC.disable_s3=1",
        "-blockdev {"driver":"file","node-name":"fw","filename":"/fw/code.fd","read-only":true}",
        "-blockdev {"driver":"file","node-name":"nv","filename":"/state/m/nvram.fd"}",
        "-device {"driver":"VGA","id":"video0"}",
        "-device {"driver":"pcie-root-port","id":"rp0","chassis":1,"slot":1,"addr":"2.0","multifunction":true}",
        "-device {"driver":"pcie-root-port","id":"rp1","chassis":2,"slot":2,"addr":"2.1"}",
        "-device {"driver":"pcie-root-port","id":"rp2","chassis":3,"slot":3,"addr":"2.2"}",
        "-device {"driver":"pcie-root-port","id":"rp3","chassis":4,"slot":4,"addr":"2.3"}",
        "-device {"driver":"pcie-root-port","id":"rp4","chassis":5,"slot":5,"addr":"2.4"}",
        "-device {"driver":"pcie-root-port","id":"rp5","chassis":6,"slot":6,"addr":"2.5"}",
        "-device {"driver":"pcie-root-port","id":"rp6","chassis":7,"slot":7,"addr":"2.6"}",
        "-device {"driver":"pcie-root-port","id":"rp7","chassis":8,"slot":8,"addr":"2.7"}",
        "-device {"driver":"pcie-root-port","id":"rp8","chassis":9,"slot":9,"addr":"3.0","multifunction":true}",
        "-device {"driver":"pcie-root-port","id":"rp9","chassis":10,"slot":10,"addr":"3.1"}",
        "-device {"driver":"virtio-scsi-pci","id":"scsi0","bus":"rp0"}",
        "-device {"driver":"virtio-scsi-pci","id":"scsi1","bus":"rp1"}",
        "-smbios type=1,manufacturer=Microsoft Corporation,product=Virtual Machine,uuid=6F1C7A52-1111-4000-8000-000000000001",
        "-smbios type=3,manufacturer=Microsoft Corporation",
        "-chardev socket,id=com1,path=/run/m/com1,server=on,wait=off,logfile=/state/m/com1.log,logappend=on",
        "-serial chardev:com1",
        "-chardev socket,id=qmp,path=/run/m/qmp,server=on,wait=off",
        "-mon chardev=qmp,mode=control",
        "-boot strict=on",
        "-object {"qom-type":"throttle-group","id":"g-scsi0-0","limits":{"iops-total":0,"iops-size":0}}",
        "-blockdev {"driver":"nbd","node-name":"n-scsi0-0-0","server":{"type":"unix","path":"/run/m/nbd"},"export":"scsi0-0","reconnect-delay":3600,"read-only":false,"discard":"unmap"}",
        "-blockdev {"driver":"throttle","node-name":"t-scsi0-0","throttle-group":"g-scsi0-0","file":"n-scsi0-0-0","read-only":false,"discard":"unmap"}",
        "-device {"driver":"scsi-hd","id":"d-scsi0-0","bus":"scsi0.0","channel":0,"scsi-id":0,"lun":0,"drive":"t-scsi0-0","vendor":"Msft","product":"Virtual Disk","ver":"1.0","serial":"HV-SCSI0-0","logical_block_size":512,"physical_block_size":4096,"bootindex":0}",
        "-device {"driver":"scsi-cd","id":"d-scsi0-1","bus":"scsi0.0","channel":0,"scsi-id":0,"lun":1,"vendor":"Msft","product":"Virtual DVD-ROM","ver":"1.0","serial":"HV-SCSI0-1","logical_block_size":512,"physical_block_size":4096}",
        "-netdev {"type":"stream","id":"net-676b8bb8","server":true,"addr":{"type":"unix","path":"/run/m/n-676b8bb8"}}",
        "-device {"driver":"virtio-net-pci","id":"nic-676b8bb8","netdev":"net-676b8bb8","mac":"00:15:5d:00:00:01","bus":"rp2","romfile":"","bootindex":1}",
        "-S",
      ]
    `);
  });

  it('has no IDE, floppy, keyboard controller or second serial port in generation 2', () => {
    const text = argv(GEN2).join(' ');
    expect(text).toContain('i8042=off');
    expect(text).toContain('sata=off');
    expect(text).not.toMatch(/ide-|floppy|fdc|com2/);
  });

  it('uses the host processor with KVM and no niceness of TCG', () => {
    expect(lines(GEN2, { ...FACTS, accelerator: 'kvm' })).toContain('-cpu host,vmx=off,svm=off');
    expect(argv(GEN2, { ...FACTS, accelerator: 'kvm' }).join(' ')).not.toContain('tcg');
  });

  it('gives a virtual NUMA node its processors and memory, and a socket of its own', () => {
    const nodes = [
      { processors: 2, memoryMb: 256 },
      { processors: 2, memoryMb: 256 },
    ];
    const numa = lines(machine({ processors: 4, numaNodes: nodes }));
    expect(numa).toEqual(
      expect.arrayContaining([
        '-smp 4,sockets=2,cores=2',
        '-object memory-backend-ram,id=numa0,size=256M',
        '-numa node,nodeid=0,cpus=0-1,memdev=numa0',
        '-numa node,nodeid=1,cpus=2-3,memdev=numa1',
      ]),
    );
    const uneven = lines(
      machine({ processors: 3, numaNodes: [nodes[0]!, { processors: 1, memoryMb: 256 }] }),
    );
    expect(uneven).toContain('-smp 3');
    expect(uneven).toContain('-numa node,nodeid=1,cpus=2,memdev=numa1');
    expect(lines(machine({ numaNodes: nodes.slice(0, 1) })).join(' ')).not.toContain('-numa');
  });

  it('shows virtualization extensions to a machine that may have them, and to no other', () => {
    const nested = machine({ nestedVirtualization: true });
    expect(lines(nested)).toContain('-cpu EPYC,svm=on');
    expect(lines(machine())).toContain('-cpu Nehalem');
    expect(lines(nested, { ...FACTS, accelerator: 'kvm' })).toContain('-cpu host');
  });

  it.each([
    ['IDE in generation 2', machine({ drives: [drive({ bus: 'ide' })] })],
    [
      'a legacy adapter in generation 2',
      machine({ nics: [{ id: 'n', type: 'legacy', mac: '00:15:5d:00:00:01' }] }),
    ],
    ['a third IDE controller', machine({ generation: 1, drives: [drive({ bus: 'ide', controller: 2 })] })],
    [
      'a third disk on an IDE controller',
      machine({ generation: 1, drives: [drive({ bus: 'ide', slot: 2 })] }),
    ],
    ['a SCSI controller that is not there', machine({ drives: [drive({ controller: 1 })] })],
    ['SCSI slot 64', machine({ drives: [drive({ slot: 64 })] })],
  ])('refuses %s', (_, config) => {
    expect(() => argv(config)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }));
  });
});
