import { describe, expect, it } from 'vitest';
import { chooseBackend, type Candidate, type Wanted } from './schedule.js';

const GIB = 2 ** 30;
const candidate = (name: string, freeGb: number, changes: Partial<Candidate> = {}): Candidate => ({
  name,
  host: `m@${name}#${name}`,
  protocol: name === 'smb' ? 'SMB' : 'iSCSI',
  stats: { totalBytes: 10 * GIB, freeBytes: freeGb * GIB },
  provisionedGb: 0,
  ...changes,
});
const BOTH = [candidate('smb', 5), candidate('iscsi', 5)];

describe('the choice of a back end', () => {
  it.each<[string, readonly Candidate[], Partial<Wanted>, string | RegExp]>([
    ['the first of equals', BOTH, {}, 'smb'],
    ['the first of almost equals', [candidate('smb', 5), candidate('iscsi', 5.9)], {}, 'smb'],
    ['the emptiest', [candidate('smb', 5), candidate('iscsi', 6)], {}, 'iscsi'],
    ['by name', BOTH, { extraSpecs: { volume_backend_name: 'iscsi' } }, 'iscsi'],
    ['by capability', BOTH, { extraSpecs: { 'capabilities:storage_protocol': '<in> iSC' } }, 'iscsi'],
    ['by one of several', BOTH, { extraSpecs: { storage_protocol: '<or> FC <or> iSCSI' } }, 'iscsi'],
    ['what is scoped otherwise says nothing', BOTH, { extraSpecs: { 'vendor:x': 'y' } }, 'smb'],
    ['where its source is', BOTH, { onlyHost: 'm@iscsi#iscsi' }, 'iscsi'],
    ['thin: twenty times what is free', BOTH, { sizeGb: 100 }, 'smb'],
    ['not more', BOTH, { sizeGb: 101 }, /smb: it has 5 GiB free .*; iscsi: /],
    [
      'nor twenty times what there is',
      [candidate('smb', 9, { provisionedGb: 200 })],
      {},
      /200 GiB given away/,
    ],
    [
      'no multiattach',
      BOTH,
      { extraSpecs: { multiattach: '<is> True' } },
      /does not have multiattach <is> True/,
    ],
    ['an unknown name', BOTH, { extraSpecs: { volume_backend_name: 'x' } }, /volume_backend_name x/],
    ['a source that is gone', BOTH, { onlyHost: null }, /elsewhere/],
    ['none at all', [], {}, 'no back end serves'],
  ])('%s', (_what, candidates, wanted, expected) => {
    const choice = chooseBackend(candidates, { sizeGb: 1, extraSpecs: {}, ...wanted });
    if (choice.host === null) expect(choice.reason).toMatch(expected);
    else expect(choice.host).toBe(`m@${String(expected)}#${String(expected)}`);
  });
});
