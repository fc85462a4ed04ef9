import { describe, expect, it } from 'vitest';
import { DEFAULT_HOSTS, mergeHosts, parseHost } from './hosts.js';

describe('parseHost', () => {
  it('takes a name and a release in any case', () => {
    expect(parseHost('old:2012r2')).toEqual({ name: 'old', release: '2012R2' });
    expect(parseHost('HV-01:2016')).toEqual({ name: 'HV-01', release: '2016' });
  });
  it('takes a guarded host', () => {
    expect(parseHost('a:2019,guarded=on')).toEqual({ name: 'a', release: '2019', guarded: true });
  });
  it('takes the newest release that is common when none is given', () => {
    expect(parseHost('hv1')).toEqual({ name: 'hv1', release: '2022' });
  });
  it.each([
    '',
    ':2016',
    'a_b:2016',
    'sixteen-letters-x:2016',
    '-a:2016',
    '123:2016',
    'a:2016:x',
    '../a:2016',
  ])('refuses %j as a name', (argument) => {
    expect(() => parseHost(argument)).toThrow(/NAME:RELEASE/);
  });
  it('takes hardware after commas', () => {
    expect(parseHost('hv1:2019,numa=2,memory=32G,spanning=off')).toEqual({
      name: 'hv1',
      release: '2019',
      numaNodes: 2,
      memoryMb: 32_768,
      numaSpanning: false,
    });
    expect(parseHost('hv1,memory=4096M')).toEqual({ name: 'hv1', release: '2022', memoryMb: 4096 });
  });
  it.each(['a:2016,numa=0', 'a,memory=4', 'a,spanning=yes', 'a,constructor=1', 'a,'])(
    'refuses the hardware of %j',
    (argument) => {
      expect(() => parseHost(argument)).toThrow(/numa=NODES, memory=32G/);
    },
  );
  it('names the releases when it refuses one', () => {
    expect(() => parseHost('a:2008')).toThrow(/2012R2, 2016/);
  });
});

describe('mergeHosts', () => {
  it('starts with one host', () => {
    expect(mergeHosts([], [])).toEqual(DEFAULT_HOSTS);
  });
  it('keeps what is stored and adds what is given', () => {
    const hosts = mergeHosts([{ name: 'a', release: '2016' }], [parseHost('A:2016'), parseHost('b:2025')]);
    expect(hosts).toEqual([
      { name: 'a', release: '2016' },
      { name: 'b', release: '2025' },
    ]);
  });
  it('keeps the hardware of a host until other is given', () => {
    const stored = [parseHost('a:2016,numa=2,memory=8G')];
    expect(mergeHosts(stored, [parseHost('a:2016')])).toEqual(stored);
    expect(mergeHosts(stored, [parseHost('a:2016,numa=4')])).toEqual([parseHost('a:2016,numa=4,memory=8G')]);
  });
  it('refuses to change the release of a host', () => {
    expect(() => mergeHosts([{ name: 'a', release: '2016' }], [parseHost('a:2022')])).toThrow(
      /cannot become 2022/,
    );
  });
});
