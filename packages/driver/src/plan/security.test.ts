import { describe, expect, it } from 'vitest';
import { DriverError } from '../errors.js';
import * as make from '../test-support/fixtures.js';
import type { EarlyPlanInput } from './input.js';
import { planEarly } from './plan.js';

const PROPERTIES = {
  hw_machine_type: 'hyperv-gen2',
  os_secure_boot: 'required',
  os_type: 'windows',
  img_pdk_reference: 'http://key-manager/v1/containers/of-the-image',
};

function input(
  properties: Readonly<Record<string, string | undefined>>,
  metadata: Readonly<Record<string, string>> = {},
  guarded: boolean | 'not asked' = true,
): EarlyPlanInput {
  const all = Object.entries({ ...PROPERTIES, ...properties }).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return make.earlyInput({
    image: make.image({ properties: Object.fromEntries(all) }),
    instance: make.instance({ metadata }),
    host: make.hostFacts(guarded === 'not asked' ? {} : { guarded }),
  });
}

const refusal = (asked: EarlyPlanInput): string => {
  try {
    planEarly(asked);
  } catch (error) {
    if (error instanceof DriverError) return `${error.novaName} (${error.scope}): ${error.message}`;
    throw error;
  }
  throw new Error('It was not refused');
};
const vtpm = { os_vtpm: 'required' };
const shielded = { os_shielded_vm: 'required' };

describe('a secured machine', () => {
  it('has a TPM, no serial port, and what its provisioning takes', () => {
    const { vm, provisioning } = planEarly(input(vtpm, { 'fsk:Zone': 'UTC', other: 'x' }));
    expect(vm.security).toEqual({ secureBoot: 'MicrosoftWindows', vtpm: true, shielded: false });
    expect(vm.serialPorts.map(({ pipe }) => pipe)).toEqual([null, null]);
    expect(provisioning).toEqual({
      containerRef: PROPERTIES.img_pdk_reference,
      values: { '@@ComputerName@@': 'vm1', '@@Zone@@': 'UTC' },
      specialize: true,
    });
  });

  it('is shielded when the image says so, whatever it says of the TPM', () => {
    expect(planEarly(input({ ...shielded, os_vtpm: 'disabled' })).vm.security).toEqual({
      secureBoot: 'MicrosoftWindows',
      vtpm: true,
      shielded: true,
    });
  });

  it('may be of Linux when it is not shielded; nothing specializes it then', () => {
    const { vm, provisioning } = planEarly(input({ ...vtpm, os_type: 'linux' }));
    expect(vm.security).toMatchObject({ secureBoot: 'MicrosoftUEFICertificateAuthority', vtpm: true });
    expect(provisioning?.specialize).toBe(false);
  });

  it('takes the reference of the instance before the image’s', () => {
    const metadata = { img_pdk_reference: 'http://key-manager/v1/containers/mine' };
    expect(planEarly(input(vtpm, metadata)).provisioning?.containerRef).toBe(metadata.img_pdk_reference);
  });

  it.each(['disabled', 'optional', 'Required'])('is not made for the word %s', (word) => {
    const { vm, provisioning } = planEarly(input({ os_vtpm: word, os_shielded_vm: word }, {}, 'not asked'));
    expect(vm.security).toMatchObject({ vtpm: false, shielded: false });
    expect(provisioning).toBeUndefined();
  });
});

describe('a secured machine is refused, in this order,', () => {
  it.each<readonly [string, EarlyPlanInput, RegExp]>([
    [
      'without Secure Boot',
      input({ ...vtpm, os_secure_boot: undefined, img_pdk_reference: undefined }, {}, false),
      /needs Secure Boot/,
    ],
    [
      'shielded for Linux',
      input({ ...shielded, os_type: 'linux' }, {}, false),
      /for Windows only.*os_vtpm=required/,
    ],
    [
      'on a host that is not guarded',
      input(vtpm, { 'fsk:ComputerName': 'x' }, false),
      /\(host\).*needs a guarded host/,
    ],
    ['on a host that was not asked', input(vtpm, {}, 'not asked'), /needs a guarded host/],
    [
      'with another computer name',
      input({ ...vtpm, img_pdk_reference: undefined }, { 'fsk:ComputerName': 'x' }),
      /fsk:ComputerName is 'x'/,
    ],
    ['without shielding data', input({ ...vtpm, img_pdk_reference: undefined }), /img_pdk_reference/],
  ])('%s', (_what, asked, message) => {
    expect(refusal(asked)).toMatch(/^InstanceUnacceptable/);
    expect(refusal(asked)).toMatch(message);
  });

  it('when Nova’s own words ask for it', () => {
    expect(refusal(input({ hw_tpm_version: '2.0' }))).toMatch(/hw_tpm_version.*os_vtpm=required/);
    const flavor = make.flavor({ extraSpecs: { 'hw:tpm_model': 'tpm-crb' } });
    expect(refusal({ ...input({}), instance: make.instance({ flavor }) })).toMatch(/hw:tpm_model/);
  });
});
