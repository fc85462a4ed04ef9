import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const QUERY_DEADLINE_MS = 20_000;
const OLDEST = [7, 2] as const;
/** Machine types are pinned: a guest must find the same hardware after QEMU was upgraded. */
const PINNED = { 1: 'pc-i440fx-7.2', 2: 'pc-q35-7.2' } as const;

export interface UefiFirmware {
  /** Read-only code image. */
  readonly code: string;
  /** Template of a machine's variables. */
  readonly variables: string;
}

/** Where distributions put OVMF's 4 MiB build: Debian and Ubuntu, Fedora, Arch. */
const FIRMWARE: readonly UefiFirmware[] = [
  { code: '/usr/share/OVMF/OVMF_CODE_4M.fd', variables: '/usr/share/OVMF/OVMF_VARS_4M.fd' },
  { code: '/usr/share/edk2/ovmf/OVMF_CODE.fd', variables: '/usr/share/edk2/ovmf/OVMF_VARS.fd' },
  { code: '/usr/share/edk2/x64/OVMF_CODE.4m.fd', variables: '/usr/share/edk2/x64/OVMF_VARS.4m.fd' },
];

/** Builds that enforce Secure Boot, with Microsoft's keys in the variables' template: Debian and Ubuntu, Fedora. */
const SECURE_FIRMWARE: readonly UefiFirmware[] = [
  { code: '/usr/share/OVMF/OVMF_CODE_4M.secboot.fd', variables: '/usr/share/OVMF/OVMF_VARS_4M.ms.fd' },
  {
    code: '/usr/share/edk2/ovmf/OVMF_CODE.secboot.fd',
    variables: '/usr/share/edk2/ovmf/OVMF_VARS.secboot.fd',
  },
];

export interface QemuFacts {
  readonly binary: string;
  readonly version: string;
  /** Machine type for each generation. */
  readonly machineTypes: { readonly 1: string; readonly 2: string };
  readonly accelerator: 'tcg' | 'kvm';
  /** undefined: none is installed, and no generation 2 machine can start. */
  readonly firmware?: UefiFirmware;
  /** undefined: no machine with Secure Boot can start. */
  readonly secureFirmware?: UefiFirmware;
  /** undefined: no machine with a TPM can start. */
  readonly swtpm?: string;
}

export interface QemuDetection {
  /** undefined when guests cannot be run. */
  readonly facts?: QemuFacts;
  /** One sentence for people: what was found, or what is missing and how to get it. */
  readonly message: string;
}

export interface DetectOptions {
  readonly qemuBinary?: string;
  /** `auto`: KVM where the processor has it and it may be opened. */
  readonly accel?: 'auto' | 'tcg' | 'kvm';
  readonly firmware?: UefiFirmware;
}

const INSTALL = 'on Debian: apt-get install --no-install-recommends qemu-system-x86 ovmf';

/** Looks for what guests need. Never throws. */
export async function detectQemu(options: DetectOptions = {}): Promise<QemuDetection> {
  const binary = options.qemuBinary ?? (await findInPath('qemu-system-x86_64'));
  if (binary === undefined) return { message: `QEMU is not installed; ${INSTALL}.` };
  try {
    const version = parseVersion((await run(binary, ['-version'], { timeout: QUERY_DEADLINE_MS })).stdout);
    if (version === undefined) return { message: `${binary} is no QEMU.` };
    if (compare(version, OLDEST) < 0) {
      return {
        message: `QEMU ${version.join('.')} is too old: ${OLDEST.join('.')} or later is needed; ${INSTALL}.`,
      };
    }
    const { stdout } = await run(binary, ['-machine', 'help'], { timeout: QUERY_DEADLINE_MS });
    const types = { 1: pickMachineType(stdout, 1), 2: pickMachineType(stdout, 2) };
    if (types[1] === undefined || types[2] === undefined)
      return { message: `${binary} has no PC machines; ${INSTALL}.` };
    const firmware = options.firmware ?? (await findFirmware(FIRMWARE));
    const swtpm = await findInPath('swtpm');
    const secureFirmware = await findFirmware(SECURE_FIRMWARE);
    const accelerator = await pickAccelerator(options.accel ?? 'auto');
    const facts = {
      binary,
      version: version.join('.'),
      machineTypes: { 1: types[1], 2: types[2] },
      accelerator,
      ...(firmware === undefined ? {} : { firmware }),
      ...(secureFirmware === undefined ? {} : { secureFirmware }),
      ...(swtpm === undefined ? {} : { swtpm }),
    };
    const lacks =
      firmware === undefined ? `; UEFI firmware is missing, so only generation 1 runs; ${INSTALL}` : '';
    return {
      facts,
      message: `QEMU ${facts.version} with ${accelerator === 'kvm' ? 'KVM' : 'software emulation'}${lacks}.`,
    };
  } catch (error) {
    return { message: `${binary} does not run: ${error instanceof Error ? error.message : String(error)}` };
  }
}

async function findInPath(name: string): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(path.delimiter)) {
    const candidate = path.join(folder, name);
    if (path.isAbsolute(candidate) && (await isAccessible(candidate, constants.X_OK))) return candidate;
  }
  return undefined;
}

async function isAccessible(file: string, mode: number): Promise<boolean> {
  return access(file, mode).then(
    () => true,
    () => false,
  );
}

/** `QEMU emulator version 7.2.22 (Debian ...)` as numbers. */
export function parseVersion(text: string): readonly number[] | undefined {
  const match = /QEMU emulator version (\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  return match?.slice(1).map((part) => Number(part ?? 0));
}

function compare(a: readonly number[], b: readonly number[]): number {
  for (const [index, wanted] of b.entries()) {
    const difference = (a[index] ?? 0) - wanted;
    if (difference !== 0) return difference;
  }
  return 0;
}

/** The pinned type, or where that is gone the newest of its family, from the output of `-machine help`. */
export function pickMachineType(help: string, generation: 1 | 2): string | undefined {
  const family = generation === 1 ? /^pc-i440fx-(\d+)\.(\d+)$/ : /^pc-q35-(\d+)\.(\d+)$/;
  const names = help.split('\n').map((line) => line.split(/\s/, 1)[0] ?? '');
  if (names.includes(PINNED[generation])) return PINNED[generation];
  const versionOf = (name: string): number[] => (family.exec(name) ?? []).slice(1).map(Number);
  return names
    .filter((name) => family.test(name))
    .toSorted((a, b) => compare(versionOf(a), versionOf(b)))
    .at(-1);
}

async function findFirmware(candidates: readonly UefiFirmware[]): Promise<UefiFirmware | undefined> {
  for (const candidate of candidates) {
    const there = await Promise.all(
      [candidate.code, candidate.variables].map((file) => isAccessible(file, constants.R_OK)),
    );
    if (there.every(Boolean)) return candidate;
  }
  return undefined;
}

/** A /dev/kvm that opens proves nothing (it may be paravirtual only): the processor must show vmx or svm. */
async function pickAccelerator(wanted: 'auto' | 'tcg' | 'kvm'): Promise<'tcg' | 'kvm'> {
  if (wanted === 'tcg') return 'tcg';
  const flags = await readFile('/proc/cpuinfo', 'latin1').catch(() => '');
  const hasKvm =
    /^flags\s*:.*\b(?:vmx|svm)\b/m.test(flags) &&
    (await isAccessible('/dev/kvm', constants.R_OK | constants.W_OK));
  if (wanted === 'kvm' && !hasKvm)
    throw new Error('KVM was asked for, and the processor or /dev/kvm does not offer it.');
  return hasKvm ? 'kvm' : 'tcg';
}
