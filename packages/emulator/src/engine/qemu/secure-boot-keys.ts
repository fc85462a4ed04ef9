import { X509Certificate } from 'node:crypto';
import type { FirmwareConfig } from '../engine.js';
import { guidAt, readVariables, writeVariables } from './uefi-variables.js';
import type { UefiVariable } from './uefi-variables.js';

export type SecureBootTemplate = NonNullable<FirmwareConfig['secureBoot']>['template'];

const GLOBAL = '8be4df61-93ca-11d2-aa0d-00e098032b8c';
/** EFI_IMAGE_SECURITY_DATABASE_GUID */
const IMAGE_SECURITY = 'd719b2cb-3d3a-4596-a3bc-dad00e67656f';
/** gEfiSecureBootEnableDisableGuid: EDK II's own switch. */
const SWITCH = 'f0a30bc7-af08-4556-99c4-001009c93a44';
/** Everything that belongs to the keys: UEFI specification "Secure Boot and Driver Signing", EDK II AuthVariableLib. */
const KEY_VARIABLES = new Set([
  `${GLOBAL} PK`,
  `${GLOBAL} KEK`,
  ...['db', 'dbx', 'dbt', 'dbr'].map((name) => `${IMAGE_SECURITY} ${name}`),
  `${SWITCH} SecureBootEnable`,
  'c076ec0c-7028-4399-a072-71ee5c448b9f CustomMode',
  '9073e4e0-60ec-4b6e-9903-4c223c260f3c VendorKeysNv',
  'd9bee56e-75dc-49d9-b4d7-b534210f637a certdb',
]);
/** EFI_CERT_X509_GUID */
const X509 = 'a5c059a1-94e4-4aa7-87b5-ab155c2bf072';
const LIST_HEADER_BYTES = 28;
const OWNER_BYTES = 16;

/** Whose certificates a template keeps: for Windows those that sign Windows, else those that sign others' loaders. */
const TRUSTS: Readonly<Record<SecureBootTemplate, (subject: string) => boolean>> = {
  MicrosoftWindows: (subject) => subject.includes('Windows'),
  MicrosoftUEFICertificateAuthority: (subject) => subject.includes('UEFI CA') && !subject.includes('Windows'),
};

/**
 * A variable image in which Secure Boot is on with a template's keys. `distribution` holds Microsoft's keys, as distributions ship it; other
 * variables (boot entries) are those of `used`, where there is one. A new image, not a changed one: what the firmware had not
 * finished writing when it was last stopped does not come back.
 * @throws VariableStoreError, also when `distribution` has no certificate for the template
 */
export function enrolled(distribution: Buffer, template: SecureBootTemplate, used?: Buffer): Buffer {
  const shipped = readVariables(distribution);
  const keys = shipped.filter(isKey).map((variable) => {
    if (variable.name === 'SecureBootEnable') return { ...variable, data: Buffer.from([1]) };
    return variable.name === 'db' ? { ...variable, data: keptLists(variable.data, template) } : variable;
  });
  const others = (used === undefined ? shipped : readVariables(used)).filter((variable) => !isKey(variable));
  return writeVariables(distribution, [...keys, ...others]);
}

/** A variable image without keys: Secure Boot is off. */
export function withoutKeys(distribution: Buffer, used: Buffer): Buffer {
  return writeVariables(
    distribution,
    readVariables(used).filter((variable) => !isKey(variable)),
  );
}

export function hasKeys(image: Buffer): boolean {
  return find(readVariables(image), 'PK') !== undefined;
}

/** Whether Secure Boot is on with exactly this template's certificates, or those and what signed updates added of its kind. */
export function isEnrolled(image: Buffer, template: SecureBootTemplate, distribution: Buffer): boolean {
  const variables = readVariables(image);
  const present = subjects(find(variables, 'db')?.data);
  const wanted = subjects(find(readVariables(distribution), 'db')?.data).filter(TRUSTS[template]);
  return (
    find(variables, 'PK') !== undefined &&
    find(variables, 'SecureBootEnable')?.data[0] === 1 &&
    present.every(TRUSTS[template]) &&
    wanted.every((subject) => present.includes(subject))
  );
}

function isKey(variable: UefiVariable): boolean {
  return KEY_VARIABLES.has(`${variable.vendor} ${variable.name}`);
}

function find(variables: readonly UefiVariable[], name: string): UefiVariable | undefined {
  return variables.find((variable) => variable.name === name && isKey(variable));
}

/** The signature lists of certificates that the template trusts. */
function keptLists(db: Buffer, template: SecureBootTemplate): Buffer {
  const kept = signatureLists(db).filter((list) => subjectsOf(list).some(TRUSTS[template]));
  return Buffer.concat(kept);
}

function subjects(db: Buffer | undefined): readonly string[] {
  return db === undefined ? [] : signatureLists(db).flatMap(subjectsOf);
}

/** EFI_SIGNATURE_LIST, one after another. */
function signatureLists(db: Buffer): readonly Buffer[] {
  const lists: Buffer[] = [];
  for (let at = 0; at + LIST_HEADER_BYTES <= db.length;) {
    const size = db.readUInt32LE(at + 16);
    if (size < LIST_HEADER_BYTES || at + size > db.length) break;
    lists.push(db.subarray(at, at + size));
    at += size;
  }
  return lists;
}

function subjectsOf(list: Buffer): readonly string[] {
  if (guidAt(list, 0) !== X509) return [];
  const size = list.readUInt32LE(24);
  const found: string[] = [];
  if (size <= OWNER_BYTES) return found;
  for (let at = LIST_HEADER_BYTES + list.readUInt32LE(20); at + size <= list.length; at += size) {
    found.push(subjectOf(list.subarray(at + OWNER_BYTES, at + size)));
  }
  return found;
}

/** '' for what is no certificate, which no template trusts. */
function subjectOf(der: Buffer): string {
  try {
    return new X509Certificate(der).subject;
  } catch {
    return '';
  }
}
