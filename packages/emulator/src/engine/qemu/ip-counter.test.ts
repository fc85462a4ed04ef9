import { expect, it } from 'vitest';
import { IpCounter } from './ip-counter.js';

function frame(type: string, payload = 46): Buffer {
  return Buffer.concat([Buffer.alloc(12), Buffer.from(type, 'hex'), Buffer.alloc(payload)]);
}

it('counts whole frames of IPv4 and IPv6, tagged ones too, and nothing else', () => {
  const counter = new IpCounter();
  for (const type of ['0800', '86dd', '810000050800', '0806']) counter.count(frame(type));
  counter.count(frame('0800', 100));
  expect(counter.bytes).toEqual({ ipv4: 60 + 64 + 114, ipv6: 60 });
});

it('passes over frames that end before they say what they carry', () => {
  const counter = new IpCounter();
  counter.count(Buffer.alloc(13));
  counter.count(frame('81000005', 0));
  expect(counter.bytes).toEqual({ ipv4: 0, ipv6: 0 });
});
