import { describe, expect, it } from 'vitest';
import { DriverError } from '../errors.js';
import * as make from '../test-support/fixtures.js';
import { planEarly } from './plan.js';

type Words = readonly [image: string | undefined, flavor: string | undefined];

function input(
  [image, flavor]: Words,
  more: Record<string, string> = {},
  version: readonly [number, number] = [10, 0],
) {
  const properties: Record<string, string> = { hw_machine_type: 'hyperv-gen2', os_type: 'linux', ...more };
  if (image !== undefined) properties['os_secure_boot'] = image;
  const extraSpecs: Record<string, string> = flavor === undefined ? {} : { 'os:secure_boot': flavor };
  return make.earlyInput({
    image: make.image({ properties }),
    instance: make.instance({ flavor: make.flavor({ extraSpecs }) }),
    host: make.hostFacts({ windowsVersion: { major: version[0], minor: version[1], build: 14393 } }),
  });
}

const outcome = (asked: ReturnType<typeof input>): string => {
  try {
    return String(planEarly(asked).vm.security.secureBoot);
  } catch (error) {
    if (error instanceof DriverError) return `${error.novaName} (${error.scope}): ${error.message}`;
    throw error;
  }
};

describe('who may ask for Secure Boot', () => {
  const on = 'MicrosoftUEFICertificateAuthority';
  it.each<readonly [...Words, string | RegExp]>([
    [undefined, undefined, 'false'],
    [undefined, 'disabled', 'false'],
    [undefined, 'optional', 'false'],
    [undefined, 'required', on],
    ['disabled', undefined, 'false'],
    ['disabled', 'disabled', 'false'],
    ['disabled', 'optional', 'false'],
    ['disabled', 'required', /InstanceUnacceptable.*contradict/],
    ['optional', undefined, 'false'],
    ['optional', 'disabled', 'false'],
    ['optional', 'optional', 'false'],
    ['optional', 'required', on],
    ['required', undefined, on],
    ['required', 'disabled', /InstanceUnacceptable.*contradict/],
    ['required', 'optional', on],
    ['required', 'required', on],
    ['Required', undefined, /os_secure_boot.*Valid values: disabled, optional, required/],
    [undefined, 'yes', /os:secure_boot.*Valid values/],
  ])('image %s, flavor %s', (image, flavor, expected) => {
    expect(outcome(input([image, flavor]))).toMatch(expected);
  });
});

describe('what Secure Boot needs', () => {
  const required: Words = ['required', undefined];
  it.each<readonly [string, ReturnType<typeof input>, string | RegExp]>([
    ['windows', input(required, { os_type: 'windows' }), 'MicrosoftWindows'],
    ['Windows on 2012 R2', input(required, { os_type: 'Windows' }, [6, 3]), 'MicrosoftWindows'],
    [
      'linux on 2012 R2',
      input(required, {}, [6, 3]),
      /InstanceUnacceptable \(host\).*hypervisor_version_requires='>=10\.0'/,
    ],
    [
      'no os_type',
      input(required, { os_type: '' }),
      /InstanceUnacceptable \(request\).*os_type=windows or os_type=linux/,
    ],
    ['another os_type', input(required, { os_type: 'freebsd' }), /InstanceUnacceptable.*os_type=freebsd/],
    [
      'generation 1',
      input(required, { hw_machine_type: 'hyperv-gen1' }),
      /InstanceUnacceptable.*hw_machine_type=hyperv-gen2/,
    ],
    [
      'generation 1 by a flavor',
      input([undefined, 'required'], { hw_machine_type: 'hyperv-gen1' }),
      /os:secure_boot=required of flavor m1\.tiny.*generation 2/,
    ],
    [
      'a contradiction before all else',
      input(['disabled', 'required'], { hw_machine_type: 'hyperv-gen1', os_type: '' }),
      /contradict/,
    ],
  ])('%s', (_what, asked, expected) => {
    expect(outcome(asked)).toMatch(expected);
  });
});
