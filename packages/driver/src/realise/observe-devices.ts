import type { CimInstance } from '@nova-hyperv/wsman';
import { numeric, text, texts } from '@nova-hyperv/hyperv';
import { compareDevices } from '../plan/pci.js';
import { keyOf, ofKind, referenceOf } from './rows.js';
import type { ObservedMachine, ObservedPciDevice, ObservedVideo, SettingsRows } from './observed.js';

const MEBIBYTE = 1024 * 1024;

/** Devices of the host, and the video adapters. */
export function devicesOf(rows: SettingsRows): Pick<ObservedMachine, 'pciDevices' | 'video' | 's3Display'> {
  const video = videoOf(rows);
  const [s3] = ofKind(rows, 's3Display');
  return {
    pciDevices: ofKind(rows, 'pciDevice').map(pciDeviceOf).toSorted(compareDevices),
    ...(video === undefined ? {} : { video }),
    ...(s3 === undefined ? {} : { s3Display: { reference: referenceOf(s3), address: text(s3, 'Address') } }),
  };
}

function pciDeviceOf(row: CimInstance): ObservedPciDevice {
  const path = texts(row, 'HostResource')[0] ?? '';
  return {
    reference: referenceOf(row),
    systemName: keyOf(path, 'SystemName') ?? '',
    deviceId: keyOf(path, 'DeviceID') ?? '',
  };
}

function videoOf(rows: SettingsRows): ObservedVideo | undefined {
  const [remoteFx] = ofKind(rows, 'remoteFxDisplay');
  if (remoteFx !== undefined) {
    const vramMb = numeric(remoteFx, 'VRAMSizeBytes') / MEBIBYTE;
    return {
      reference: referenceOf(remoteFx),
      spec: {
        kind: 'remotefx',
        resolution: numeric(remoteFx, 'MaximumScreenResolution'),
        monitors: numeric(remoteFx, 'MaximumMonitors'),
        vramMb: vramMb === 0 ? null : vramMb,
      },
    };
  }
  const [synthetic] = ofKind(rows, 'syntheticDisplay');
  return synthetic === undefined
    ? undefined
    : { reference: referenceOf(synthetic), spec: { kind: 'synthetic' } };
}
