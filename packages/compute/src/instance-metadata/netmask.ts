import { isIPv4 } from 'node:net';

/** `255.255.255.0` of `10.0.0.0/24`, `ffff:ffff:ffff:ffff::` of an IPv6 /64. */
export function netmaskOf(cidr: string): string {
  const [address = '', prefix] = cidr.split('/');
  if (isIPv4(address)) {
    const bits = Number(prefix ?? 32);
    return [0, 8, 16, 24].map((from) => 256 - 2 ** (8 - Math.min(8, Math.max(0, bits - from)))).join('.');
  }
  const bits = Number(prefix ?? 128);
  const groups = Array.from({ length: 8 }, (_, index) => {
    const set = Math.min(16, Math.max(0, bits - index * 16));
    return ((0xffff << (16 - set)) & 0xffff).toString(16);
  });
  const firstZero = groups.indexOf('0');
  return firstZero < 0 ? groups.join(':') : `${groups.slice(0, firstZero).join(':')}::`;
}

export function networkOf(cidr: string): string {
  return cidr.split('/')[0] ?? '';
}
