import { createHash } from 'node:crypto';
import { EmulatorError } from '../errors.js';
import type { FibreChannelOption } from '../options.js';
import type { FoundUnit } from './host-disks.js';

const WWN = /^[\da-f]{16}$/i;
const SECTOR_BYTES = 512;
const MOST_PORTS = 16;
const MOST_UNITS = 256;

/** The units of the option whose files are there. */
export function fibreUnits(
  option: FibreChannelOption | undefined,
  sizeOf: (file: string) => number | undefined,
): readonly FoundUnit[] {
  return (option?.units ?? []).flatMap((one) => {
    const size = sizeOf(one.file);
    if (size === undefined || size < SECTOR_BYTES) return [];
    const digest = createHash('sha256').update(one.file).digest('hex').toUpperCase();
    const unit = {
      lun: one.lun,
      vendor: 'EMULATED',
      product: 'FC LUN',
      revision: '1.0',
      serialNumber: digest.slice(16, 32),
      // NAA 6: registered extended
      uniqueId: `6${digest.slice(1, 32)}`,
      uniqueIdFormat: 3,
      sizeBytes: size - (size % SECTOR_BYTES),
      sectorBytes: SECTOR_BYTES,
      physicalSectorBytes: SECTOR_BYTES,
    };
    return [{ option: one, unit }];
  });
}

function wrong(why: string): EmulatorError {
  return new EmulatorError('EMULATOR_OPTION', why);
}

/** @throws EmulatorError EMULATOR_OPTION */
export function checkFibreChannel(option: FibreChannelOption | undefined): void {
  if (option === undefined) return;
  const names = [
    option.nodeName,
    ...option.portNames,
    ...(option.units ?? []).flatMap((unit) => [
      unit.targetPortName,
      unit.targetNodeName ?? unit.targetPortName,
    ]),
  ];
  const bad = names.find((name) => !WWN.test(name));
  if (bad !== undefined) throw wrong(`'${bad}' is no world-wide name: 16 hexadecimal digits.`);
  if (option.portNames.length === 0 || option.portNames.length > MOST_PORTS)
    throw wrong(`A Fibre Channel adapter has 1 to ${MOST_PORTS} ports.`);
  if ((option.units?.length ?? 0) > MOST_UNITS) throw wrong(`At most ${MOST_UNITS} Fibre Channel units.`);
  for (const { lun } of option.units ?? []) {
    if (!Number.isSafeInteger(lun) || lun < 0 || lun > 16_383) throw wrong(`${lun} is no LUN: 0 to 16383.`);
  }
}

/** The bytes of a world-wide name, as WMI has them. */
export function wwnBytes(name: string): readonly number[] {
  return [...Buffer.from(name, 'hex')];
}
