import type { InvokeResult } from '@nova-hyperv/wsman';
import { isTrue, textOf } from '../cim.js';
import { holderOf, instancePathOf, requireDevice } from '../devices/host-pci.js';
import type { HostPciDevice } from '../devices/host-pci.js';
import { HV, HyperVError } from '../errors.js';
import { nameOf } from '../machines/model.js';
import { jobStarted } from '../methods.js';
import type { MethodCall, MethodHandler } from '../methods.js';
import { refusal } from './context.js';
import type { ServiceContext } from './context.js';

/** `JobType` of both; the documentation names none for them. */
const JOB_TYPE = 0;

/** Methods of Msvm_AssignableDeviceService: a device leaves the host before a machine can have it. */
export function assignableDeviceMethods(context: ServiceContext): Readonly<Record<string, MethodHandler>> {
  return {
    DismountAssignableDevice: (call) => dismount(context, call),
    MountAssignableDevice: (call) => mount(context, call),
  };
}

function dismount(context: ServiceContext, call: MethodCall): InvokeResult {
  const settings = call.instance(
    'DismountSettingData',
    'Msvm_AssignableDeviceDismountSettingData',
  ).properties;
  const find = (): HostPciDevice => {
    const { DeviceInstancePath, DeviceLocationPath } = settings;
    const device = requireDevice(context.host.pci, textOf(DeviceInstancePath), textOf(DeviceLocationPath));
    if (!device.mounted)
      throw new HyperVError(HV.invalidState, 'The device has been dismounted from the host already.');
    if (isTrue(settings['RequireDeviceMitigations']))
      throw new HyperVError(
        HV.failed,
        'The device has no partitioning driver on this host: dismount it without required mitigations.',
      );
    return device;
  };
  return change(context, 'Dismounting Assignable Device', find, false, 'DismountedDeviceInstancePath');
}

function mount(context: ServiceContext, call: MethodCall): InvokeResult {
  const path = (name: string): string => textOf(call.raw(name) ?? undefined);
  const find = (): HostPciDevice => {
    const device = requireDevice(context.host.pci, path('DeviceInstancePath'), path('DeviceLocationPath'));
    if (device.mounted) throw new HyperVError(HV.invalidState, 'The host has the device already.');
    const holder = holderOf(device, context.machines.all(), context.host);
    if (holder !== undefined)
      throw new HyperVError(
        HV.inUse,
        `The device belongs to the virtual machine '${nameOf(holder.machine)}'.`,
      );
    return device;
  };
  return change(context, 'Mounting Assignable Device', find, true, 'MountedDeviceInstancePath');
}

function change(
  context: ServiceContext,
  caption: string,
  find: () => HostPciDevice,
  mounted: boolean,
  result: string,
): InvokeResult {
  const request = { caption, jobType: JOB_TYPE };
  let device: HostPciDevice;
  try {
    device = find();
  } catch (error) {
    return refusal(context, error, request);
  }
  const job = context.jobs.start({
    ...request,
    className: 'Msvm_ConcreteJob',
    affects: [],
    work: async () => {
      context.host.pci.setMounted(find(), mounted);
      await Promise.resolve();
    },
  });
  return jobStarted(job, { [result]: instancePathOf({ ...device, mounted }) });
}
