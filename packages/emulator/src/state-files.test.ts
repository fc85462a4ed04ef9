import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadSchema } from '@nova-hyperv/wsman';
import { loadMachines, saveMachine } from './machines/machine-file.js';
import { generationOf } from './machines/model.js';
import { modifySystemSettings } from './machines/system-settings.js';
import { settingsId } from './machines/model.js';
import { StateFiles, fileOperations } from './state-files.js';
import type { FileOperations } from './state-files.js';
import { define, ruleHost, withDisk } from './testing/rule-host.js';
import { v2 } from './cim.js';

const folders: string[] = [];

function folder(): string {
  const made = mkdtempSync(path.join(tmpdir(), 'state-files-'));
  folders.push(made);
  return made;
}

const host = ruleHost();
folders.push(host.paths.root);

afterAll(() => {
  for (const one of folders) rmSync(one, { recursive: true, force: true });
});

/** Operations of which the one with that number, and all after it, never happen: the process was killed. */
function killedAt(step: number, partly: boolean): FileOperations {
  let done = 0;
  const guard = (work: () => void): void => {
    if (done === step) throw new Error('killed');
    done += 1;
    work();
  };
  return {
    write: (file, data) => {
      if (partly && done === step) writeFileSync(file, data.slice(0, data.length / 2));
      guard(() => fileOperations.write(file, data));
    },
    rename: (from, to) => guard(() => fileOperations.rename(from, to)),
    remove: (file) => guard(() => fileOperations.remove(file)),
    syncFolder: (name) => guard(() => fileOperations.syncFolder(name)),
  };
}

describe('state files', () => {
  it('a machine comes back as it was, 64-bit integers and datetimes included', () => {
    const files = new StateFiles(folder());
    const { machine } = withDisk(host, define(host));
    saveMachine(files, machine);
    expect(loadMachines(files, host.schema)).toStrictEqual([machine]);
  });

  it.each(
    [0, 1, 2].flatMap(
      (step) =>
        [
          [step, false],
          [step, true],
        ] as const,
    ),
  )(
    'killed at operation %i of a write (half written: %s), the old or the new machine loads',
    (step, partly) => {
      const where = folder();
      const before = define(host);
      saveMachine(new StateFiles(where), before);
      const after = modifySystemSettings(
        before,
        v2('Msvm_VirtualSystemSettingData', { InstanceID: settingsId(before.id), ElementName: 'renamed' }),
        host,
      );
      expect(() => saveMachine(new StateFiles(where, killedAt(step, partly)), after)).toThrow('killed');
      const files = new StateFiles(where);
      const [loaded] = loadMachines(files, host.schema);
      expect(loaded?.settings.properties['ElementName']).toBe(step < 2 ? 'vm' : 'renamed');
      expect(readdirSync(where).filter((name) => name.endsWith('.tmp'))).toStrictEqual([]);
    },
  );

  it.each([
    ['text that is no JSON', '{'],
    ['something else', '[]'],
    ['a setting that the schema does not know', 'property'],
    ['another machine', 'id'],
  ])('%s is refused with the file named', (_what, content) => {
    const where = folder();
    const files = new StateFiles(where);
    const machine = define(host);
    if (content === 'property') {
      const settings = { ...machine.settings, properties: { ...machine.settings.properties, Nothing: 1 } };
      saveMachine(files, { ...machine, settings });
    } else if (content === 'id') {
      saveMachine(files, machine);
      fileOperations.rename(path.join(where, `${machine.id}.json`), path.join(where, 'OTHER.json'));
    } else {
      writeFileSync(path.join(where, `${machine.id}.json`), content);
    }
    expect(() => loadMachines(files, host.schema)).toThrow(/state file .*\.json is damaged/);
  });

  it('names that are no names are refused', () => {
    expect(() => new StateFiles(folder()).read('../x')).toThrow(/no name/);
  });

  it('a machine of generation 1 stays one', () => {
    const files = new StateFiles(folder());
    saveMachine(files, define(host, 1));
    expect(loadMachines(files, loadSchema()).map(generationOf)).toStrictEqual([1]);
  });
});
