import { describe, expect, it } from 'vitest';
import { TEST_CERTIFICATES } from '../testing/certificates.js';
import { emptyStore } from '../testing/variable-store.js';
import { enrolled, hasKeys, isEnrolled, withoutKeys } from './secure-boot-keys.js';
import { readVariables, writeVariables } from './uefi-variables.js';
import type { UefiVariable } from './uefi-variables.js';

const GLOBAL = '8be4df61-93ca-11d2-aa0d-00e098032b8c';
const IMAGE_SECURITY = 'd719b2cb-3d3a-4596-a3bc-dad00e67656f';
const SWITCH = 'f0a30bc7-af08-4556-99c4-001009c93a44';

const variable = (vendor: string, name: string, data: Buffer): UefiVariable => ({
  vendor,
  name,
  attributes: 0x27,
  authentication: Buffer.alloc(28),
  data,
});

/** EFI_SIGNATURE_LIST with one certificate. */
function signatureList(certificate: string): Buffer {
  const der = Buffer.from(certificate, 'base64');
  const header = Buffer.alloc(28 + 16);
  Buffer.from('a159c0a5e494a74a87b5ab155c2bf072', 'hex').copy(header);
  header.writeUInt32LE(header.length + der.length, 16);
  header.writeUInt32LE(16 + der.length, 24);
  return Buffer.concat([header, der]);
}

const database = (...certificates: readonly string[]) =>
  variable(IMAGE_SECURITY, 'db', Buffer.concat(certificates.map((one) => signatureList(one))));
const bootEntry = variable(GLOBAL, 'Boot0001', Buffer.from('a disk'));
const { windowsOld, othersOld, windowsNew, othersNew } = TEST_CERTIFICATES;
const keys = [
  variable(GLOBAL, 'PK', Buffer.from('pk')),
  variable(GLOBAL, 'KEK', Buffer.from('kek')),
  variable(SWITCH, 'SecureBootEnable', Buffer.from([0])),
];
const distribution = writeVariables(emptyStore(), [
  ...keys,
  database(windowsOld, othersOld, windowsNew, othersNew),
  variable(GLOBAL, 'Boot0000', Buffer.from('shipped')),
]);
const dataOf = (image: Buffer, name: string) => readVariables(image).find((one) => one.name === name)?.data;

describe('the keys of a Secure Boot template', () => {
  const linux = enrolled(distribution, 'MicrosoftUEFICertificateAuthority');
  const windows = enrolled(distribution, 'MicrosoftWindows');

  it('are those of its kind alone, old and new', () => {
    expect(dataOf(linux, 'db')).toEqual(database(othersOld, othersNew).data);
    expect(dataOf(windows, 'db')).toEqual(database(windowsOld, windowsNew).data);
    expect([dataOf(linux, 'SecureBootEnable'), dataOf(windows, 'PK')]).toEqual([
      Buffer.from([1]),
      Buffer.from('pk'),
    ]);
    expect(dataOf(linux, 'Boot0000')).toEqual(Buffer.from('shipped'));
  });

  it('are recognised, and no others', () => {
    const is = (image: Buffer) => [
      isEnrolled(image, 'MicrosoftUEFICertificateAuthority', distribution),
      isEnrolled(image, 'MicrosoftWindows', distribution),
    ];
    expect([is(linux), is(windows), is(distribution), is(emptyStore())]).toEqual([
      [true, false],
      [false, true],
      [false, false],
      [false, false],
    ]);
    const off = readVariables(linux).map((one) =>
      one.name === 'SecureBootEnable' ? { ...one, data: Buffer.from([0]) } : one,
    );
    expect(is(writeVariables(emptyStore(), off))).toEqual([false, false]);
  });

  it('change while the boot entries stay', () => {
    const used = writeVariables(emptyStore(), [...readVariables(windows), bootEntry]);
    const switched = enrolled(distribution, 'MicrosoftUEFICertificateAuthority', used);
    expect(dataOf(switched, 'db')).toEqual(dataOf(linux, 'db'));
    expect(dataOf(switched, 'Boot0001')).toEqual(bootEntry.data);
    expect(readVariables(switched).filter(({ name }) => name === 'db')).toHaveLength(1);
  });

  it('go when Secure Boot is off', () => {
    const used = writeVariables(emptyStore(), [...readVariables(linux), bootEntry]);
    const off = withoutKeys(emptyStore(), used);
    expect([hasKeys(used), hasKeys(off)]).toEqual([true, false]);
    expect(readVariables(off).map(({ name }) => name)).toEqual(['Boot0000', 'Boot0001']);
  });
});
