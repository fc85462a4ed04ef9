import { constants, copyFile, rename, stat } from 'node:fs/promises';
import path from 'node:path';
import { EngineError } from '../engine.js';
import type { MachineConfig } from '../engine.js';
import type { QemuFacts } from './detect.js';

/** The two flash images of a generation 2 machine. */
export interface FirmwareImages {
  /** Shared, read-only. */
  readonly code: string;
  /** The machine's own: boot entries and other variables live there from start to start. */
  readonly variables: string;
}

/**
 * Chooses the firmware of a generation 2 machine and makes its variable store when it has none yet.
 * @throws EngineError UNSUPPORTED when none is installed, or Secure Boot is on
 */
export async function prepareFirmware(
  config: MachineConfig,
  machineFolder: string,
  facts: QemuFacts,
): Promise<FirmwareImages> {
  if (config.firmware.secureBoot !== undefined) {
    throw new EngineError(
      'UNSUPPORTED',
      'This host cannot run guests with Secure Boot; turn it off in the machine.',
    );
  }
  if (facts.firmware === undefined) {
    throw new EngineError('UNSUPPORTED', 'No UEFI firmware is installed; on Debian: apt-get install ovmf.');
  }
  const variables = path.join(machineFolder, 'nvram.fd');
  const template = await stat(facts.firmware.variables);
  const existing = await stat(variables).catch(() => undefined);
  if (existing?.size !== template.size) {
    await copyFile(facts.firmware.variables, `${variables}.new`, constants.COPYFILE_FICLONE);
    await rename(`${variables}.new`, variables);
  }
  return { code: facts.firmware.code, variables };
}
