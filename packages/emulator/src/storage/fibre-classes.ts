import type { CimInstance } from '@nova-hyperv/wsman';
import { instance, listOf } from '../cim.js';
import type { FibreChannelOption } from '../options.js';
import { completed } from '../methods.js';
import type { MethodHandler } from '../methods.js';
import type { InstanceSource } from '../store/store.js';
import { STORAGE } from './disk-classes.js';
import type { StorageContext } from './disk-classes.js';
import { wwnBytes } from './fibre-channel.js';
import { encodeLun } from './iscsi/session.js';

export const WMI = 'root/wmi';

/** HBA_STATUS (hbaapi.h). */
const HBA = { ok: 0, illegalWwn: 5, moreData: 7 } as const;
/** HBA_PORTTYPE, HBA_PORTSTATE, HBA_PORTSPEED_16GBIT (hbaapi.h). */
const PORT = { nPort: 5, online: 2, speed16: 0x20 } as const;
const FIBRE_CHANNEL = 1;

function instanceName(port: number): string {
  return String.raw`PCI\VEN_1077&DEV_2031&SUBSYS_02331077&REV_02\4&0&${port}_0`;
}

/** The adapter's objects: one MSFC_* instance of each class for each port, as drivers of adapters report them. */
export function fibreSources(
  option: FibreChannelOption | undefined,
  context: StorageContext,
): readonly InstanceSource[] {
  const ports = option?.portNames ?? [];
  const source = (
    namespace: string,
    className: string,
    make: (name: string, index: number) => CimInstance,
  ): InstanceSource => ({ namespace, className, list: () => ports.map(make) });
  const nodeName = option?.nodeName ?? '';
  return [
    source(WMI, 'MSFC_FCAdapterHBAAttributes', (_, index) =>
      instance(WMI, 'MSFC_FCAdapterHBAAttributes', {
        InstanceName: instanceName(index),
        Active: true,
        UniqueAdapterId: BigInt(index + 1),
        HBAStatus: HBA.ok,
        NodeWWN: [...wwnBytes(nodeName)],
        VendorSpecificID: 0,
        NumberOfPorts: 1,
        Manufacturer: 'Emulated',
        SerialNumber: nodeName.toUpperCase(),
        Model: 'Emulated FC adapter',
        ModelDescription: 'Emulated Fibre Channel adapter',
        NodeSymbolicName: context.host.name,
        HardwareVersion: '1',
        DriverVersion: '1',
        OptionROMVersion: '',
        FirmwareVersion: '1',
        DriverName: 'emulated.sys',
        MfgDomain: '',
      }),
    ),
    source(WMI, 'MSFC_FibrePortHBAAttributes', (name, index) =>
      instance(WMI, 'MSFC_FibrePortHBAAttributes', {
        InstanceName: instanceName(index),
        Active: true,
        UniquePortId: BigInt(index + 1),
        HBAStatus: HBA.ok,
        Attributes: instance(WMI, 'MSFC_HBAPortAttributesResults', {
          NodeWWN: [...wwnBytes(nodeName)],
          PortWWN: [...wwnBytes(name)],
          PortFcId: 0x01_0000 + index,
          PortType: PORT.nPort,
          PortState: PORT.online,
          PortSupportedClassofService: 8,
          PortSupportedSpeed: PORT.speed16,
          PortSpeed: PORT.speed16,
          PortMaxFrameSize: 2048,
          FabricName: [...wwnBytes('1000000000000001')],
          NumberofDiscoveredPorts: new Set(option?.units?.map((unit) => unit.targetPortName)).size,
        }),
      }),
    ),
    source(WMI, 'MSFC_HBAFCPInfo', (_, index) =>
      instance(WMI, 'MSFC_HBAFCPInfo', {
        InstanceName: instanceName(index),
        Active: true,
        UniqueAdapterId: BigInt(index + 1),
      }),
    ),
    source(STORAGE, 'MSFT_InitiatorPort', (name, index) =>
      instance(STORAGE, 'MSFT_InitiatorPort', {
        ObjectId: `{1}\\\\${context.host.name.toUpperCase()}\\root/Microsoft/Windows/Storage/Providers_v2\\WSP_InitiatorPort.ObjectId="FC:${name}"`,
        NodeAddress: nodeName,
        PortAddress: name,
        InstanceName: instanceName(index),
        ConnectionType: FIBRE_CHANNEL,
        PortType: PORT.nPort,
        OperationalStatus: [2],
        AlternateNodeAddress: [],
        AlternatePortAddress: [],
      }),
    ),
  ];
}

/** Which disk of the host is which unit of a target. Source: WDK, GetFcpTargetMapping of MSFC_HBAFCPInfo. */
export function fibreMethods(
  option: FibreChannelOption | undefined,
  { storage }: StorageContext,
): Readonly<Record<string, MethodHandler>> {
  return {
    GetFcpTargetMapping: (call) => {
      const wanted = Buffer.from(call.numbers('HbaPortWWN').map((byte) => byte & 0xff)).toString('hex');
      const none = { TotalEntryCount: 0, OutEntryCount: 0, Entry: [] };
      if (option?.portNames.some((name) => name.toLowerCase() === wanted) !== true)
        return completed({ HBAStatus: HBA.illegalWwn, ...none });
      const entries = storage.fibreUnits.flatMap(({ option: place, unit }) => {
        const disk = storage.disks().find((one) => one.busType === 6 && one.unit.uniqueId === unit.uniqueId);
        if (disk === undefined) return [];
        return [
          instance(WMI, 'HBAFCPScsiEntry', {
            FCPId: instance(WMI, 'HBAFCPID', {
              Fcpid: 0x02_0000 + disk.targetNumber,
              NodeWWN: [...wwnBytes(place.targetNodeName ?? place.targetPortName)],
              PortWWN: [...wwnBytes(place.targetPortName)],
              FcpLun: encodeLun(unit.lun).readBigUInt64LE(0),
            }),
            Luid: [...Buffer.from(unit.uniqueId, 'hex')],
            ScsiId: instance(WMI, 'HBAScsiID', {
              OSDeviceName: String.raw`\\.\PHYSICALDRIVE${disk.number}`,
              ScsiBusNumber: 0,
              ScsiTargetNumber: disk.targetNumber,
              ScsiOSLun: unit.lun,
            }),
          }),
        ];
      });
      const told = entries.slice(0, Math.max(0, call.number('InEntryCount')));
      return completed({
        HBAStatus: told.length < entries.length ? HBA.moreData : HBA.ok,
        TotalEntryCount: entries.length,
        OutEntryCount: told.length,
        Entry: listOf(told),
      });
    },
  };
}
