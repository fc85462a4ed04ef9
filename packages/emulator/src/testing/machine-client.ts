import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { CimInstance, CimReference, CimValue } from '@nova-hyperv/wsman';
import { V2, v2 } from '../cim.js';
import { settingsReference, systemReference } from '../machines/model.js';
import { formatObjectPath } from '../store/object-path.js';
import { wanted } from './rule-host.js';
import {
  IMAGES,
  MANAGEMENT,
  call,
  codeOf,
  defineMachine,
  first,
  referencesOf,
  succeed,
} from './test-host.js';
import type { HostUnderTest } from './test-host.js';

export const MIB = 1024n * 1024n;

export function pathOf(reference: CimReference): string {
  return formatObjectPath(reference, 'HV01');
}

/** Adds one resource and gives its reference. */
export async function add(test: HostUnderTest, id: string, settings: CimInstance): Promise<CimReference> {
  const out = await succeed(test.client, MANAGEMENT, 'AddResourceSettings', {
    AffectedConfiguration: settingsReference(id),
    ResourceSettings: [settings],
  });
  return first(referencesOf(out['ResultingResourceSettings']));
}

/** A dynamic VHDX of 64 MiB in `C:\vms`; gives its Windows path. */
export async function createDisk(test: HostUnderTest, name: string): Promise<string> {
  mkdirSync(path.join(test.host.driveC, 'vms'), { recursive: true });
  const file = `C:\\vms\\${name}`;
  const settings = { Path: file, Type: 3, Format: name.endsWith('.vhd') ? 2 : 3, MaxInternalSize: 64n * MIB };
  await succeed(test.client, IMAGES, 'CreateVirtualHardDisk', {
    VirtualDiskSettingData: v2('Msvm_VirtualHardDiskSettingData', settings),
  });
  return file;
}

export interface Built {
  readonly id: string;
  readonly controller: CimReference;
  readonly drive: CimReference;
  readonly disk: CimReference;
  readonly nic: CimReference;
  readonly connection: CimReference;
}

/** A generation 2 machine with a disk on SCSI and a connected network adapter. */
export async function buildMachine(
  test: HostUnderTest,
  name: string,
  properties: Readonly<Record<string, CimValue>> = {},
  file?: string,
): Promise<Built> {
  const image = file ?? (await createDisk(test, `${name}.vhdx`));
  const id = await defineMachine(test.client, { ElementName: name, SecureBootEnabled: false, ...properties });
  const controller = await add(test, id, wanted('scsi-controller'));
  const drive = await add(
    test,
    id,
    wanted('disk-drive', { Parent: pathOf(controller), AddressOnParent: '0' }),
  );
  const disk = await add(test, id, wanted('hard-disk', { Parent: pathOf(drive), HostResource: [image] }));
  const nic = await add(test, id, wanted('synthetic-nic', { ElementName: 'port' }));
  const virtualSwitch = first(
    await test.client.query(V2, "SELECT * FROM Msvm_VirtualEthernetSwitch WHERE ElementName = 'external'"),
  );
  const connection = await add(
    test,
    id,
    wanted('connection', { Parent: pathOf(nic), HostResource: [pathOf(virtualSwitch.reference)] }),
  );
  return { id, controller, drive, disk, nic, connection };
}

/** RequestStateChange, with its job; the error code. */
export async function power(test: HostUnderTest, id: string, state: number): Promise<number> {
  return codeOf(
    await call(test.client, systemReference(id), 'RequestStateChange', { RequestedState: state }),
  );
}

export async function stateOf(test: HostUnderTest, id: string): Promise<unknown> {
  return (await test.client.get(systemReference(id))).properties['EnabledState'];
}

export async function destroy(test: HostUnderTest, id: string): Promise<number> {
  return codeOf(
    await call(test.client, MANAGEMENT, 'DestroySystem', { AffectedSystem: systemReference(id) }),
  );
}
