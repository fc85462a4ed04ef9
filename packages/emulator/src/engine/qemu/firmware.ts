import { readFile, writeFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { EngineError } from '../engine.js';
import type { MachineConfig } from '../engine.js';
import type { QemuFacts, UefiFirmware } from './detect.js';
import { enrolled, hasKeys, isEnrolled, withoutKeys } from './secure-boot-keys.js';
import type { SecureBootTemplate } from './secure-boot-keys.js';
import { VariableStoreError } from './uefi-variables.js';

/** The two flash images of a generation 2 machine. */
export interface FirmwareImages {
  /** Shared, read-only. */
  readonly code: string;
  /** The machine's own: boot entries and other variables live there from start to start. */
  readonly variables: string;
  /** Built with a protected variable store, which only it may write to. */
  readonly isProtected: boolean;
}

/**
 * Chooses the firmware of a generation 2 machine, and makes its variable store what its settings say: with a template's keys, or without any.
 * Boot entries stay. The store is replaced as a whole, so that a process killed here leaves the one or the other.
 * @throws EngineError UNSUPPORTED when there is none
 */
export async function prepareFirmware(
  config: MachineConfig,
  machineFolder: string,
  facts: QemuFacts,
): Promise<FirmwareImages> {
  const template = config.firmware.secureBoot?.template;
  const firmware = template === undefined ? facts.firmware : facts.secureFirmware;
  if (firmware === undefined) {
    throw new EngineError(
      'UNSUPPORTED',
      `No UEFI firmware ${template === undefined ? '' : 'with Secure Boot '}is installed; on Debian: apt-get install ovmf.`,
    );
  }
  const variables = path.join(machineFolder, 'nvram.fd');
  const wanted = await wantedVariables(firmware, template, variables);
  if (wanted !== undefined) {
    await writeFile(`${variables}.new`, wanted, { mode: 0o600, flush: true });
    await rename(`${variables}.new`, variables);
  }
  return { code: firmware.code, variables, isProtected: template !== undefined };
}

/** What the store must become; undefined when it is right. A store that cannot be read is replaced by a new one. */
async function wantedVariables(
  firmware: UefiFirmware,
  template: SecureBootTemplate | undefined,
  file: string,
): Promise<Buffer | undefined> {
  const distribution = await readFile(firmware.variables);
  const read = await readFile(file).catch(() => undefined);
  const used = read?.length === distribution.length ? read : undefined;
  const fresh = () => (template === undefined ? distribution : enrolled(distribution, template));
  if (used === undefined) return fresh();
  try {
    if (template === undefined) return hasKeys(used) ? withoutKeys(distribution, used) : undefined;
    return isEnrolled(used, template, distribution) ? undefined : enrolled(distribution, template, used);
  } catch (error) {
    if (error instanceof VariableStoreError) return fresh();
    throw error;
  }
}
