import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { codeOf, hostMaker } from '../testing/rules.js';
import { define } from '../testing/rule-host.js';
import { modifySystemSettings } from './system-settings.js';
import { v2 } from '../cim.js';

const make = hostMaker();

describe('DefineSystem', () => {
  it.each([
    ['2012R2', '5.0', 0],
    ['2012R2', '8.0', 32773],
    ['2016', '5.0', 0],
    ['2016', '9.0', 32773],
    ['2019', '9.0', 0],
    ['2022', '8.0', 0],
    ['2022', '5.0', 32773],
    ['2022', '12.0', 32773],
    ['2025', '12.0', 0],
    ['2025', '99.0', 32773],
  ] as const)('release %s, configuration version %s gives %i', (release, version, code) => {
    const host = make(release);
    expect(codeOf(() => define(host, 2, { Version: version }))).toBe(code);
  });

  it('the host chooses the identifier', () => {
    const machine = define(make(), 2, { VirtualSystemIdentifier: 'mine' });
    expect(machine.settings.properties['VirtualSystemIdentifier']).toBe(machine.id);
  });

  it.each([
    ['LogDataRoot', String.raw`D:\logs`, 32773],
    ['SuspendDataRoot', String.raw`\\server\share`, 32773],
    ['ConfigurationDataRoot', String.raw`C:\a\..\b`, 32773],
    ['ConfigurationDataRoot', String.raw`C:\file\below`, 32768],
    ['ConfigurationDataRoot', String.raw`C:\new\folder`, 0],
  ])('%s %s gives %i', (name, root, code) => {
    const host = make();
    writeFileSync(path.join(host.paths.root, 'file'), '');
    expect(codeOf(() => define(host, 2, { [name]: root }))).toBe(code);
  });
});

describe('ModifySystemSettings', () => {
  it.each([
    ['SnapshotDataRoot', String.raw`Q:\x`, 32773],
    ['SwapFileDataRoot', String.raw`C:\..\x`, 32773],
    ['SnapshotDataRoot', String.raw`C:\checkpoints`, 0],
  ])('%s %s gives %i', (name, root, code) => {
    const host = make();
    const machine = define(host);
    const wanted = v2('Msvm_VirtualSystemSettingData', { [name]: root });
    expect(codeOf(() => modifySystemSettings(machine, wanted, host))).toBe(code);
  });
});
