import type { IpBytes, MachineStats } from '../engine/engine.js';

/** What one element has done since its measuring began; bytes, counts, milliseconds. */
export interface Measured {
  readonly elapsedMs: number;
  readonly processorMs: number;
  readonly clockMhz: number;
  readonly memoryMb: number;
  readonly disk: DiskCounters;
  readonly port: PortCounters;
}

export type DiskCounters = Omit<MachineStats['drives'][number], 'id'>;

/** As the guest sees it. Whatever is not metered stays at 0. */
export interface PortCounters {
  readonly received: IpBytes;
  readonly sent: IpBytes;
}

export const NO_TRAFFIC: PortCounters = { received: { ipv4: 0, ipv6: 0 }, sent: { ipv4: 0, ipv6: 0 } };

export const NO_DISK_WORK: DiskCounters = {
  readBytes: 0,
  writtenBytes: 0,
  readRequests: 0,
  writeRequests: 0,
  busyMs: 0,
};

/** A metric that the host can collect, and how its value follows from what was measured. */
export interface MetricDefinition {
  readonly name: string;
  /** What it is measured of. */
  readonly of: 'machine' | 'disk' | 'port';
  /** An average (Msvm_AggregationMetricDefinition) or a plain counter (Msvm_BaseMetricDefinition). */
  readonly kind: 'average' | 'counter';
  readonly units: string;
  readonly programmaticUnits: string;
  readonly value: (measured: Measured) => number;
}

const MIB = 1024 * 1024;
/** Hyper-V counts I/O in units of 8 KiB (Msvm_StorageAllocationSettingData, IOPSLimit). */
const IO_UNIT = 8192;

function requestsOf(disk: DiskCounters): number {
  return disk.readRequests + disk.writeRequests;
}

/**
 * Names as Windows in English has them (Nova's Hyper-V driver looks for them; units by Measure-VM's documentation: MHz, MB, and for
 * disks MB, microseconds and normalised operations each second; for switch ports MB). Those of disks came with 2012 R2, so every release
 * here has all. Their order makes their ids: new ones come last.
 */
export const METRIC_DEFINITIONS: readonly MetricDefinition[] = [
  {
    name: 'Aggregated Average CPU Utilization',
    of: 'machine',
    kind: 'average',
    units: 'MHz',
    programmaticUnits: 'hertz*10^6',
    value: ({ processorMs, elapsedMs, clockMhz }) =>
      elapsedMs === 0 ? 0 : (processorMs / elapsedMs) * clockMhz,
  },
  {
    name: 'Aggregated Average Memory Utilization',
    of: 'machine',
    kind: 'average',
    units: 'MB',
    programmaticUnits: 'byte*2^20',
    value: ({ memoryMb }) => memoryMb,
  },
  {
    name: 'Disk Data Read',
    of: 'disk',
    kind: 'counter',
    units: 'MB',
    programmaticUnits: 'byte*2^20',
    value: ({ disk }) => disk.readBytes / MIB,
  },
  {
    name: 'Disk Data Written',
    of: 'disk',
    kind: 'counter',
    units: 'MB',
    programmaticUnits: 'byte*2^20',
    value: ({ disk }) => disk.writtenBytes / MIB,
  },
  {
    name: 'Average Disk Latency',
    of: 'disk',
    kind: 'average',
    units: 'Microseconds',
    programmaticUnits: 'second*10^-6',
    value: ({ disk }) => (requestsOf(disk) === 0 ? 0 : (disk.busyMs * 1000) / requestsOf(disk)),
  },
  {
    name: 'Average Normalized Disk Throughput',
    of: 'disk',
    kind: 'average',
    units: 'IOPS',
    programmaticUnits: 'count/second',
    value: ({ disk, elapsedMs }) => {
      const normalized = Math.max(requestsOf(disk), (disk.readBytes + disk.writtenBytes) / IO_UNIT);
      return elapsedMs === 0 ? 0 : (normalized * 1000) / elapsedMs;
    },
  },
  {
    name: 'Filtered Incoming Network Traffic',
    of: 'port',
    kind: 'counter',
    units: 'MB',
    programmaticUnits: 'byte*2^20',
    value: ({ port: { received } }) => (received.ipv4 + received.ipv6) / MIB,
  },
  {
    name: 'Filtered Outgoing Network Traffic',
    of: 'port',
    kind: 'counter',
    units: 'MB',
    programmaticUnits: 'byte*2^20',
    value: ({ port: { sent } }) => (sent.ipv4 + sent.ipv6) / MIB,
  },
];
