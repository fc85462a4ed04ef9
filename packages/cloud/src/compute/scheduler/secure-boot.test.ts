import { describe, expect, it } from 'vitest';
import { checkSecureBoot } from './secure-boot.js';

const check = (image: string | undefined, flavor: string | undefined) => () =>
  checkSecureBoot(
    'm1.tiny',
    flavor === undefined ? {} : { 'os:secure_boot': flavor },
    'an-image',
    image === undefined ? {} : { os_secure_boot: image },
  );

describe('Secure Boot at the API', () => {
  it.each([
    [undefined, 'required'],
    ['required', undefined],
    ['optional', 'required'],
    ['required', 'optional'],
    ['disabled', 'disabled'],
    ['disabled', 'optional'],
  ])('takes an image %s with a flavor %s', (image, flavor) => {
    expect(check(image, flavor)).not.toThrow();
  });
  it.each([
    ['required', 'disabled', /conflicting with image an-image/],
    ['disabled', 'required', /conflicting with image an-image/],
    ['yes', undefined, /os_secure_boot is 'yes'; valid values are disabled, optional, required/],
    [undefined, 'on', /os:secure_boot is 'on'/],
  ])('refuses an image %s with a flavor %s', (image, flavor, message) => {
    expect(check(image, flavor)).toThrow(message);
  });
});
