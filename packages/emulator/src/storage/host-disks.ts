import type { UnitSource } from '../engine/engine.js';
import type { FibreChannelOption } from '../options.js';
import type { LogicalUnit } from './iscsi/logical-units.js';
import type { KeptDisk, KeptSession } from './storage-state.js';
import { DISK_POLICY } from './storage-state.js';

/** One way to a logical unit. */
export interface UnitPath {
  readonly key: string;
  readonly unit: LogicalUnit;
  readonly source: UnitSource;
  /** MSFT_Disk.BusType: 6 Fibre Channel, 9 iSCSI. */
  readonly busType: 6 | 9;
  readonly isConnected: boolean;
  readonly isMultipath: boolean;
  /** Session that it belongs to; undefined for Fibre Channel. */
  readonly sessionId?: string;
  /** SCSI target number, for Location and Win32_DiskDrive. */
  readonly targetNumber: number;
}

/** A disk of the host. */
export interface HostDisk extends KeptDisk {
  readonly unit: LogicalUnit;
  readonly source: UnitSource;
  readonly busType: 6 | 9;
  /** A path to it works. */
  readonly isPresent: boolean;
  readonly isMultipath: boolean;
  readonly sessionIds: readonly string[];
  readonly targetNumber: number;
}

/** Fibre Channel's logical units, as they were found when the host last looked. */
export interface FoundUnit {
  readonly option: NonNullable<FibreChannelOption['units']>[number];
  readonly unit: LogicalUnit;
}

export function sessionPaths(
  sessions: readonly KeptSession[],
  connected: ReadonlySet<string>,
  initiatorName: string,
  hasMultipath: boolean,
): readonly UnitPath[] {
  return sessions.flatMap((session, index) =>
    session.units.map((unit): UnitPath => {
      const isMultipath = hasMultipath && session.multipath && unit.uniqueId !== '';
      const { portal, target, chap } = session;
      return {
        key: isMultipath
          ? `mpio|${unit.uniqueId}`
          : `iscsi|${target}|${portal.address}:${portal.port}|${unit.lun}`,
        unit,
        source: {
          kind: 'iscsi',
          portal,
          target,
          lun: unit.lun,
          initiatorName,
          ...(chap === undefined ? {} : { chap }),
        },
        busType: 9,
        isConnected: connected.has(session.id),
        isMultipath,
        sessionId: session.id,
        targetNumber: index,
      };
    }),
  );
}

export function fibrePaths(found: readonly FoundUnit[], hasMultipath: boolean): readonly UnitPath[] {
  const targets = [...new Set(found.map(({ option }) => option.targetPortName))];
  return found.map(({ option, unit }): UnitPath => {
    const isMultipath =
      hasMultipath && found.filter((other) => other.unit.uniqueId === unit.uniqueId).length > 1;
    return {
      key: isMultipath ? `mpio|${unit.uniqueId}` : `fc|${option.targetPortName}|${unit.lun}`,
      unit,
      source: { kind: 'file', path: option.file },
      busType: 6,
      isConnected: true,
      isMultipath,
      targetNumber: targets.indexOf(option.targetPortName),
    };
  });
}

/** Disks whose bus several hosts may share. */
function isOfflineAtFirst(policy: number): boolean {
  return policy === DISK_POLICY.offlineShared || policy === DISK_POLICY.offlineAll;
}

/**
 * What the host remembers after these paths were found: disks keep their numbers and states, new ones get the lowest
 * free number (0 is the system's disk) and the state that the policy says. What is gone is forgotten.
 */
export function rememberDisks(
  paths: readonly UnitPath[],
  known: readonly KeptDisk[],
  policy: number,
): readonly KeptDisk[] {
  const keys = [...new Set(paths.map(({ key }) => key))];
  const kept = known.filter(({ key }) => keys.includes(key));
  const taken = new Set(kept.map(({ number }) => number));
  const added = keys
    .filter((key) => !kept.some((disk) => disk.key === key))
    .map((key): KeptDisk => {
      let number = 1;
      while (taken.has(number)) number += 1;
      taken.add(number);
      return { key, number, offline: isOfflineAtFirst(policy), readOnly: false };
    });
  return [...kept, ...added];
}

export function disksOf(paths: readonly UnitPath[], known: readonly KeptDisk[]): readonly HostDisk[] {
  return known.flatMap((disk) => {
    const own = paths.filter(({ key }) => key === disk.key);
    const best = own.find(({ isConnected }) => isConnected) ?? own[0];
    if (best === undefined) return [];
    return [
      {
        ...disk,
        unit: best.unit,
        source: best.source,
        busType: best.busType,
        isPresent: best.isConnected,
        isMultipath: best.isMultipath,
        sessionIds: own.map(({ sessionId }) => sessionId).filter((id) => id !== undefined),
        targetNumber: best.targetNumber,
      },
    ];
  });
}
