import path from 'node:path';
import { EngineError } from '../engine.js';
import type { DriveConfig, MachineConfig } from '../engine.js';
import type { QemuFacts } from './detect.js';
import type { SectorSizes } from './devices.js';
import {
  driveDevice,
  driveKey,
  mediumNode,
  nbdNode,
  nicDevice,
  nicNetdev,
  throttleGroupObject,
  throttleNodeOptions,
  unitNode,
  unitSecret,
} from './devices.js';
import type { FirmwareImages } from './firmware.js';
import type { QmpObject } from './qmp-commands.js';

/** Where a machine's sockets and files are. */
export interface MachinePaths {
  /** Short: for sockets. */
  readonly runFolder: string;
  /** Lives as long as the machine: firmware variables, logs. */
  readonly machineFolder: string;
}

export const qmpSocket = (paths: MachinePaths): string => path.join(paths.runFolder, 'qmp');
export const nbdSocket = (paths: MachinePaths): string => path.join(paths.runFolder, 'nbd');
/** Holds a unit's CHAP secret while QEMU starts. */
export const secretFile = (paths: MachinePaths, drive: DriveConfig): string =>
  path.join(paths.runFolder, `s-${driveKey(drive)}`);
export const tpmSocket = (paths: MachinePaths): string => path.join(paths.runFolder, 'tpm');
export const comSocket = (paths: MachinePaths, index: number): string =>
  path.join(paths.runFolder, `com${index + 1}`);
export const comLog = (paths: MachinePaths, index: number): string =>
  path.join(paths.machineFolder, `com${index + 1}.log`);

export interface MachineHardware {
  readonly config: MachineConfig;
  /** Sector sizes of the disks by drive id. */
  readonly sectors: ReadonlyMap<string, SectorSizes>;
  /** Generation 2 only. */
  readonly firmware?: FirmwareImages;
}

/** Network adapters of one kind that a machine may have, and so the sockets for hot-plugging that it needs. */
const MAX_SYNTHETIC_NICS = 8;
/** Translated code kept for a guest under software emulation; QEMU's own choice is an eighth of the memory. */
const TRANSLATION_CACHE_MB = 128;

export function rootPortCount(config: MachineConfig): number {
  return firstPciPort(config) + (config.pciDevices?.length ?? 0);
}

/** Assigned devices come behind all others, so that these stay where they are. */
function firstPciPort(config: MachineConfig): number {
  return config.scsiControllers.length + Math.max(MAX_SYNTHETIC_NICS, config.nics.length);
}

/** The PCI bus of the n-th network adapter socket of a generation 2 machine. */
export function nicBus(config: MachineConfig, socket: number): string {
  return `rp${config.scsiControllers.length + socket}`;
}

/** COM ports: generation 1 has always two, generation 2 what is configured. */
export function serialPortCount(config: MachineConfig): number {
  return config.generation === 1 ? 2 : Math.min(2, config.serialPorts.length);
}

/**
 * QEMU's command line for a machine. Pure: what it says of files and sockets is not checked here.
 * @throws EngineError UNSUPPORTED for hardware that the generation does not have
 */
export function buildArgv(
  hardware: MachineHardware,
  paths: MachinePaths,
  facts: QemuFacts,
): readonly string[] {
  const { config } = hardware;
  checkHardware(config);
  const generation = config.generation === 1 ? generation1(config, facts) : generation2(hardware, facts);
  return [
    '-no-user-config',
    '-nodefaults',
    ...option('-display', 'none'),
    ...option('-name', options({ guest: config.name, process: `hv-${config.id.slice(0, 8)}` })),
    ...accelerator(config, facts),
    ...option('-m', `size=${config.memoryMb}M`),
    ...processorsAndNodes(config),
    ...generation,
    ...identity(config),
    ...serialPorts(config, paths),
    ...(config.tpm === true ? tpm(paths) : []),
    ...option(
      '-chardev',
      options({ socket: true, id: 'qmp', path: qmpSocket(paths), server: 'on', wait: 'off' }),
    ),
    ...option('-mon', 'chardev=qmp,mode=control'),
    ...bootStrictness(config),
    ...config.drives.flatMap((drive) => driveArguments(drive, hardware, paths)),
    ...nicArguments(config, paths),
    '-S',
  ];
}

function checkHardware(config: MachineConfig): void {
  const refuse = (what: string): never => {
    throw new EngineError('UNSUPPORTED', `A generation ${config.generation} machine has no ${what}.`);
  };
  for (const drive of config.drives) {
    const onIde = drive.bus === 'ide';
    if (onIde && config.generation === 2) refuse('IDE controllers');
    if (onIde && (drive.controller > 1 || drive.slot > 1))
      refuse(`IDE place ${drive.controller}:${drive.slot}`);
    if (!onIde && !config.scsiControllers.includes(drive.controller))
      refuse(`SCSI controller ${drive.controller}`);
    if (!onIde && drive.slot > 63) refuse(`SCSI slot ${drive.slot}`);
  }
  if (config.generation === 1 && config.tpm === true) refuse('TPM');
  if (config.generation === 2 && config.nics.some((nic) => nic.type === 'legacy'))
    refuse('legacy network adapters');
}

function accelerator(config: MachineConfig, facts: QemuFacts): string[] {
  const nested = config.nestedVirtualization === true;
  if (facts.accelerator === 'kvm') return ['-accel', 'kvm', '-cpu', nested ? 'host' : 'host,vmx=off,svm=off'];
  // The plainest model that today's distributions run on (x86-64-v2); `max` would change with QEMU's version.
  // QEMU emulates AMD's extensions only, which guests look for on AMD's processors.
  const model = nested ? 'EPYC,svm=on' : 'Nehalem';
  return ['-accel', `tcg,thread=multi,tb-size=${TRANSLATION_CACHE_MB}`, '-cpu', model];
}

/** Each virtual NUMA node is a socket where they divide evenly, with a piece of memory of its own. */
function processorsAndNodes({ processors, numaNodes = [] }: MachineConfig): string[] {
  const count = numaNodes.length;
  if (count < 2) return option('-smp', String(processors));
  const isEven = numaNodes.every((node) => node.processors * count === processors);
  const smp = isEven ? `${processors},sockets=${count},cores=${processors / count}` : String(processors);
  let first = 0;
  const nodes = numaNodes.flatMap((node, id) => {
    const last = first + node.processors - 1;
    const cpus = last > first ? `${first}-${last}` : String(first);
    first = last + 1;
    return [
      ...option('-object', `memory-backend-ram,id=numa${id},size=${node.memoryMb}M`),
      ...option('-numa', `node,nodeid=${id},cpus=${cpus},memdev=numa${id}`),
    ];
  });
  return [...option('-smp', smp), ...nodes];
}

function generation1(config: MachineConfig, facts: QemuFacts): string[] {
  return [
    ...option('-machine', `${facts.machineTypes[1]},vmport=off`),
    ...videoAdapter(config),
    ...config.scsiControllers.flatMap((number) => device({ driver: 'virtio-scsi-pci', id: `scsi${number}` })),
    ...assignedDevices(config),
  ];
}

function generation2(hardware: MachineHardware, facts: QemuFacts): string[] {
  const { config, firmware } = hardware;
  if (firmware === undefined)
    throw new EngineError('UNSUPPORTED', 'A generation 2 machine needs UEFI firmware.');
  return [
    '-machine',
    `${facts.machineTypes[2]},${firmware.isProtected ? 'smm=on,' : ''}i8042=off,vmport=off,sata=off,pflash0=fw,pflash1=nv`,
    ...(firmware.isProtected ? option('-global', 'driver=cfi.pflash01,property=secure,value=on') : []),
    ...option('-global', 'ICH9-LPC.disable_s3=1'),
    ...blockdev({ driver: 'file', 'node-name': 'fw', filename: firmware.code, 'read-only': true }),
    ...blockdev({ driver: 'file', 'node-name': 'nv', filename: firmware.variables }),
    ...videoAdapter(config),
    ...Array.from({ length: rootPortCount(config) }, (_, index) => device(rootPort(index))).flat(),
    ...config.scsiControllers.flatMap((number, index) =>
      device({ driver: 'virtio-scsi-pci', id: `scsi${number}`, bus: `rp${index}` }),
    ),
    ...assignedDevices(config),
  ];
}

/** With RemoteFX a paravirtual adapter stands in the plain one's place, with as many outputs as there are monitors. */
function videoAdapter({ video }: MachineConfig): string[] {
  if (video === undefined) return device({ driver: 'VGA', id: 'video0' });
  const { monitors, width, height } = video;
  return device({ driver: 'virtio-vga', id: 'video0', max_outputs: monitors, xres: width, yres: height });
}

function assignedDevices(config: MachineConfig): string[] {
  return (config.pciDevices ?? []).flatMap(({ model }, index) =>
    device({
      driver: model,
      id: `pci${index}`,
      // The firmware program of a network adapter is not installed everywhere, and nothing boots from here.
      ...(model === 'e1000e' ? { romfile: '' } : {}),
      ...(config.generation === 2 ? { bus: `rp${firstPciPort(config) + index}` } : {}),
    }),
  );
}

/** Eight to a slot, from slot 2 on: slot 1 is the video adapter's. */
function rootPort(index: number): QmpObject {
  const [slot, part] = [2 + Math.floor(index / 8), index % 8];
  return {
    driver: 'pcie-root-port',
    id: `rp${index}`,
    chassis: index + 1,
    slot: index + 1,
    addr: `${slot.toString(16)}.${part}`,
    ...(part === 0 ? { multifunction: true } : {}),
  };
}

/**
 * SMBIOS as Hyper-V fills it in, but for one word on generation 1: Linux' ata_piix passes over the IDE disks of a
 * `Virtual Machine` of `Microsoft Corporation` (drivers/ata/ata_piix.c, prefer_ms_hyperv), to leave them to Hyper-V's
 * own storage driver, which finds nothing here.
 */
function identity(config: MachineConfig): string[] {
  const vendor = { manufacturer: config.generation === 1 ? 'Microsoft' : 'Microsoft Corporation' };
  const numbers = { serial: config.serialNumber, uuid: config.biosGuid || config.id };
  return [
    ...option('-smbios', options({ type: '1', ...vendor, product: 'Virtual Machine', ...numbers })),
    ...option('-smbios', options({ type: '3', ...vendor, asset: config.chassisAssetTag })),
  ];
}

function serialPorts(config: MachineConfig, paths: MachinePaths): string[] {
  return Array.from({ length: serialPortCount(config) }, (_, index) => {
    const id = `com${index + 1}`;
    const socket = { socket: true, id, path: comSocket(paths, index), server: 'on', wait: 'off' } as const;
    const log = { logfile: comLog(paths, index), logappend: 'on' };
    return [...option('-chardev', options({ ...socket, ...log })), ...option('-serial', `chardev:${id}`)];
  }).flat();
}

/** The command response buffer interface is the one that Hyper-V's TPM has. */
function tpm(paths: MachinePaths): string[] {
  return [
    ...option('-chardev', options({ socket: true, id: 'tpm', path: tpmSocket(paths) })),
    ...option('-tpmdev', 'emulator,id=tpm0,chardev=tpm'),
    ...device({ driver: 'tpm-crb', tpmdev: 'tpm0' }),
  ];
}

/** Only what is in the boot order is booted from. */
function bootStrictness(config: MachineConfig): string[] {
  return config.firmware.bootOrder.length === 0 ? [] : ['-boot', 'strict=on'];
}

function bootIndexOf(config: MachineConfig, id: string): number | undefined {
  const index = config.firmware.bootOrder.indexOf(id);
  return index < 0 ? undefined : index;
}

function driveArguments(drive: DriveConfig, hardware: MachineHardware, paths: MachinePaths): string[] {
  const added = driveDevice(drive, hardware.sectors.get(drive.id), bootIndexOf(hardware.config, drive.id));
  if (added === undefined) return [];
  return [...driveContent(drive, paths), ...device(added)];
}

function driveContent(drive: DriveConfig, paths: MachinePaths): string[] {
  if (drive.unit !== undefined) {
    const secret = unitSecret(drive, secretFile(paths, drive));
    return [
      ...(secret === undefined ? [] : option('-object', JSON.stringify(secret))),
      ...option('-object', JSON.stringify(throttleGroupObject(drive))),
      ...blockdev(unitNode(drive, drive.unit)),
      ...blockdev(throttleNodeOptions(drive, 0)),
    ];
  }
  if (drive.path === undefined) return [];
  if (drive.kind === 'dvd') return blockdev(mediumNode(drive, drive.path, 0));
  return [
    ...option('-object', JSON.stringify(throttleGroupObject(drive))),
    ...blockdev(nbdNode(drive, nbdSocket(paths), 0)),
    ...blockdev(throttleNodeOptions(drive, 0)),
  ];
}

function nicArguments(config: MachineConfig, paths: MachinePaths): string[] {
  return config.nics.flatMap((nic, index) => {
    // Generation 1 boots from the legacy adapter only, which has no boot program in QEMU.
    const [bus, bootIndex] =
      config.generation === 1 ? [undefined, undefined] : [nicBus(config, index), bootIndexOf(config, nic.id)];
    return [
      '-netdev',
      JSON.stringify(nicNetdev(nic, paths.runFolder)),
      ...device(nicDevice(nic, bus, bootIndex)),
    ];
  });
}

/** Whether a drive's export must be there before QEMU starts. */
export function isServed(drive: DriveConfig): drive is DriveConfig & { readonly path: string } {
  return drive.kind === 'disk' && drive.path !== undefined;
}

const option = (name: string, value: string): string[] => [name, value];
const device = (value: QmpObject): string[] => option('-device', JSON.stringify(value));
const blockdev = (value: QmpObject): string[] => option('-blockdev', JSON.stringify(value));

/** QEMU's `key=value,…`: a comma in a value is doubled; `true` is a key alone; undefined and '' are left out. */
function options(values: Readonly<Record<string, string | true | undefined>>): string {
  return Object.entries(values)
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([key, value]) => (value === true ? key : `${key}=${String(value).replaceAll(',', ',,')}`))
    .join(',');
}
