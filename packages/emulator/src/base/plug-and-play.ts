import type { CimInstance } from '@nova-hyperv/wsman';
import { CIMV2, instance, textOf } from '../cim.js';
import { instancePathOf } from '../devices/host-pci.js';
import type { HostPciDevice } from '../devices/host-pci.js';
import { PCI_MODELS } from '../devices/pci-models.js';
import type { RuleHost } from '../machines/rules.js';
import { completed, returned } from '../methods.js';
import type { MethodHandler } from '../methods.js';
import type { InstanceSource } from '../store/store.js';

/** Win32_PnPEntity of the host's physical PCI devices; it has no others here. */
export function plugAndPlaySource(host: RuleHost): InstanceSource {
  return {
    namespace: CIMV2,
    className: 'Win32_PnPEntity',
    list: () => host.pci.all().map((device) => entity(device, host)),
  };
}

function entity(device: HostPciDevice, host: RuleHost): CimInstance {
  const model = PCI_MODELS[device.model];
  const id = instancePathOf(device);
  return instance(CIMV2, 'Win32_PnPEntity', {
    DeviceID: id,
    PNPDeviceID: id,
    Name: device.mounted ? model.description : 'PCI Express Graphics Processing Unit - Dismounted',
    Caption: model.description,
    Description: model.description,
    CreationClassName: 'Win32_PnPEntity',
    SystemCreationClassName: 'Win32_ComputerSystem',
    SystemName: host.name.toUpperCase(),
    PNPClass: device.mounted ? model.pnpClass : 'System',
    HardwareID: [`PCI\\VEN_${model.vendorId}&DEV_${model.deviceId}&SUBSYS_${model.subsystem}`],
    Present: true,
    Status: 'OK',
    ConfigManagerErrorCode: 0,
  });
}

/** DEVPROPTYPE values. Source: devpropdef.h. */
const TYPE = { uint32: 7, string: 18, stringList: 8210 } as const;
/** Return code of a method of Win32_PnPEntity for a device that is not there. */
const NO_SUCH_DEVICE = 1;

/** Win32_PnPEntity.GetDeviceProperties: all properties, or those that are asked for by name. */
export function plugAndPlayMethods(host: RuleHost): Readonly<Record<string, MethodHandler>> {
  return {
    GetDeviceProperties: (call) => {
      const id = textOf(call.target.properties['DeviceID']);
      const device = host.pci.byInstanceOrLocation(id, '');
      if (device === undefined) return returned(NO_SUCH_DEVICE);
      const wanted = call.raw('devicePropertyKeys');
      const names = typeof wanted === 'string' ? [wanted] : Array.isArray(wanted) ? wanted.map(String) : [];
      const all = properties(device);
      return completed({
        deviceProperties:
          names.length === 0 ? all : all.filter((one) => names.includes(textOf(one.properties['KeyName']))),
      });
    },
  };
}

function properties(device: HostPciDevice): readonly CimInstance[] {
  const id = instancePathOf(device);
  const of = (
    className: string,
    name: string,
    type: number,
    Data: string | number | readonly string[],
  ): CimInstance => instance(CIMV2, className, { DeviceID: id, key: name, KeyName: name, Type: type, Data });
  const text = (name: string, data: string) => of('Win32_PnPDevicePropertyString', name, TYPE.string, data);
  const number = (name: string, data: number) => of('Win32_PnPDevicePropertyUint32', name, TYPE.uint32, data);
  return [
    text('DEVPKEY_Device_DeviceDesc', PCI_MODELS[device.model].description),
    text(
      'DEVPKEY_Device_LocationInfo',
      `PCI bus ${device.bus}, device ${device.device}, function ${device.function}`,
    ),
    number('DEVPKEY_Device_BusNumber', device.bus),
    number('DEVPKEY_Device_Address', device.device * 0x1_0000 + device.function),
    of('Win32_PnPDevicePropertyStringArray', 'DEVPKEY_Device_LocationPaths', TYPE.stringList, [
      device.locationPath,
    ]),
  ];
}
