import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { openDisk } from '@nova-hyperv/vhd';
import type { CimReference } from '@nova-hyperv/wsman';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { V2, reference, textsOf } from '../cim.js';
import { EngineError } from '../engine/engine.js';
import { parentResolver } from '../machines/parent-resolver.js';
import { systemReference } from '../machines/model.js';
import { DrivePaths } from '../paths.js';
import { buildMachine, power } from '../testing/machine-client.js';
import type { Built } from '../testing/machine-client.js';
import { call, codeOf, startTestHost } from '../testing/test-host.js';
import type { TestHost } from '../testing/test-host.js';

const SERVICE = reference(V2, 'Msvm_VirtualSystemSnapshotService', {
  CreationClassName: 'Msvm_VirtualSystemSnapshotService',
});
const RUNNING = 2;

let test: TestHost;
let vm: Built;

beforeEach(async () => {
  test = await startTestHost();
  vm = await buildMachine(test, 'vm');
});
afterEach(() => test.close());

async function take(type = 2): Promise<number> {
  const parameters = { AffectedSystem: systemReference(vm.id), SnapshotSettings: '', SnapshotType: type };
  return codeOf(await call(test.client, SERVICE, 'CreateSnapshot', parameters));
}

async function checkpoints(): Promise<readonly CimReference[]> {
  const where = "VirtualSystemType = 'Microsoft:Hyper-V:Snapshot:Realized'";
  const found = await test.client.query(V2, `SELECT * FROM Msvm_VirtualSystemSettingData WHERE ${where}`);
  return found.map((each) => each.reference);
}

async function remove(checkpoint: CimReference): Promise<number> {
  return codeOf(await call(test.client, SERVICE, 'DestroySnapshot', { AffectedSnapshot: checkpoint }));
}

async function fileOf(): Promise<string> {
  return textsOf((await test.client.get(vm.disk)).properties['HostResource'])[0] ?? '';
}

const files = (): readonly string[] => readdirSync(path.join(test.host.driveC, 'vms')).toSorted();
const local = (file: string): string => path.join(test.host.driveC, 'vms', path.win32.basename(file));

/** Writes on the disk that the machine has now, while it is off. */
async function write(text: string, at: number): Promise<void> {
  const paths = new DrivePaths(test.host.driveC);
  const disk = await openDisk(local(await fileOf()), { resolveParent: parentResolver(paths) });
  await disk.write(Buffer.from(text.padEnd(512)), at);
  await disk.close();
}

async function read(file: string, at: number): Promise<string> {
  const paths = new DrivePaths(test.host.driveC);
  const disk = await openDisk(file, { readOnly: true, resolveParent: parentResolver(paths) });
  const bytes = Buffer.alloc(512);
  await disk.read(bytes, at);
  await disk.close();
  return bytes.toString().trim().replaceAll('\0', '');
}

describe('a checkpoint', () => {
  it('keeps the disk as it is; removed, what was written since is on the disk', async () => {
    await write('before', 0);
    expect(await take()).toBe(0);
    expect(await fileOf()).toMatch(/\\vm_[\dA-F-]{36}\.avhdx$/);
    await write('after', 1024);
    expect([await read(local('vm.vhdx'), 0), await read(local('vm.vhdx'), 1024)]).toEqual(['before', '']);
    const [checkpoint] = await checkpoints();
    expect(await remove(checkpoint!)).toBe(0);
    expect([await read(local('vm.vhdx'), 0), await read(local('vm.vhdx'), 1024)]).toEqual([
      'before',
      'after',
    ]);
    expect([await fileOf(), files()]).toEqual(['C:\\vms\\vm.vhdx', ['vm.vhdx']]);
    expect(await checkpoints()).toEqual([]);
  });

  it('is taken and removed while the machine runs', async () => {
    await power(test, vm.id, RUNNING);
    expect(await take()).toBe(0);
    expect(test.engine.calls).toContain(`switchDrives ${vm.id} scsi-0-0`);
    expect(files()).toHaveLength(2);
    expect(await remove((await checkpoints())[0]!)).toBe(0);
    expect(files()).toEqual(['vm.vhdx']);
  });

  it('outlives the host’s process', async () => {
    await take();
    const { stateDir } = test;
    await test.stop();
    test = await startTestHost({ stateDir });
    const [checkpoint] = await checkpoints();
    expect(await remove(checkpoint!)).toBe(0);
    expect(existsSync(local('vm.vhdx'))).toBe(true);
  });

  it('is linked with its machine', async () => {
    await take();
    const [checkpoint] = await checkpoints();
    for (const associationClass of ['Msvm_SnapshotOfVirtualSystem', 'Msvm_MostCurrentSnapshotInBranch']) {
      const found = await test.client.associators(systemReference(vm.id), { associationClass });
      expect(found.map((each) => each.reference)).toEqual([checkpoint]);
    }
  });

  it('is refused of a type that is none, and removed newest first', async () => {
    expect(await take(5)).toBe(32773);
    await take();
    const [first] = await checkpoints();
    await take();
    expect(await remove(first!)).toBe(32770);
    expect(await remove({ ...first!, keys: { InstanceID: 'Microsoft:nothing' } })).toBe(32773);
  });

  it('leaves everything as it was when it cannot be taken', async () => {
    await power(test, vm.id, RUNNING);
    test.engine.failures.set('switchDrives', new EngineError('FAILED', 'no'));
    expect(await take()).not.toBe(0);
    expect([await fileOf(), files(), await checkpoints()]).toEqual(['C:\\vms\\vm.vhdx', ['vm.vhdx'], []]);
  });
});
