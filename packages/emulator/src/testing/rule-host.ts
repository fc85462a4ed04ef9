import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadSchema } from '@nova-hyperv/wsman';
import type { CimInstance, CimValue } from '@nova-hyperv/wsman';
import { switchInstance } from '../base/network.js';
import { newGuid } from '../base/host-state.js';
import { V2, sameText, settingReference, v2 } from '../cim.js';
import { systemClock } from '../clock.js';
import { HostPci } from '../devices/host-pci.js';
import { addResource } from '../machines/add.js';
import { hostPath } from '../machines/build.js';
import { defineMachine } from '../machines/define.js';
import { kind, subTypeText } from '../machines/kinds.js';
import type { KindName } from '../machines/kinds.js';
import { idOf } from '../machines/model.js';
import type { Machine } from '../machines/model.js';
import type { RuleHost } from '../machines/rules.js';
import { evenTopology } from '../numa/topology.js';
import type { WindowsRelease } from '../options.js';
import { DrivePaths } from '../paths.js';
import { releaseSchema } from '../release-schema.js';
import { RELEASES } from '../releases.js';
import { FABRIC_GUARDIAN } from '../security/shielding-data.js';
import { StateFiles } from '../state-files.js';

export const SWITCH_ID = 'AAAAAAAA-0000-4000-8000-000000000001';

/** A rule host over a temporary folder with the files `C:\disks\a.vhdx`, `b.vhdx`, `c.vhd` and `cd.iso`. */
export function ruleHost(release: WindowsRelease = '2022', refuse: readonly string[] = []): RuleHost {
  const root = mkdtempSync(path.join(tmpdir(), 'rule-host-'));
  mkdirSync(path.join(root, 'disks'));
  for (const name of ['a.vhdx', 'b.vhdx', 'c.vhd', 'cd.iso', 'x.raw'])
    writeFileSync(path.join(root, 'disks', name), '');
  const host: RuleHost = {
    name: 'HV01',
    release: RELEASES[release],
    schema: releaseSchema(loadSchema(), RELEASES[release]),
    paths: new DrivePaths(root),
    clock: systemClock,
    processors: 16,
    memoryMb: 65_536,
    numa: evenTopology({ nodes: 1, processors: 16, memoryMb: 65_536, spanning: true }),
    cluster: undefined,
    guarded: true,
    guardians: [FABRIC_GUARDIAN],
    refuse: new Set(refuse),
    newGuid,
    pci: new HostPci(
      [{ model: 'edu' }, { model: 'pci-testdev', mounted: true }],
      new StateFiles(path.join(root, 'state')),
    ),
    holderOf: () => undefined,
    findDisk: () => undefined,
    diskUsers: () => [],
    remoteFx: RELEASES[release].hasRemoteFx ? 'present' : 'absent',
    findSwitch: (reference) => {
      const state = { id: SWITCH_ID, name: 'external', adapterId: 'A', portId: 'P', mac: '0A5D00000000' };
      return sameText(reference.keys['Name'] ?? '', SWITCH_ID) ? switchInstance(state, host) : undefined;
    },
  };
  return host;
}

export function switchPath(host: RuleHost, id = SWITCH_ID): string {
  return hostPath(host, {
    kind: 'reference',
    namespace: V2,
    className: 'Msvm_VirtualEthernetSwitch',
    keys: { CreationClassName: 'Msvm_VirtualEthernetSwitch', Name: id },
  });
}

export function define(
  host: RuleHost,
  generation: 1 | 2 = 2,
  properties: Readonly<Record<string, CimValue>> = {},
): Machine {
  const settings = v2('Msvm_VirtualSystemSettingData', {
    ElementName: 'vm',
    VirtualSystemSubType: `Microsoft:Hyper-V:SubType:${generation}`,
    ...properties,
  });
  return defineMachine(newGuid(), settings, [], host);
}

/** What a client sends to add a resource of a kind. */
export function wanted(name: KindName, properties: Readonly<Record<string, CimValue>> = {}): CimInstance {
  const one = kind(name);
  return v2(one.className, {
    ResourceType: one.resourceType,
    ResourceSubType: subTypeText(one),
    ...properties,
  });
}

export function pathTo(host: RuleHost, instance: CimInstance): string {
  return hostPath(host, settingReference(instance.className, idOf(instance)));
}

/** A machine with a SCSI controller, a drive in slot 0, and a disk in it. */
export function withDisk(
  host: RuleHost,
  machine: Machine,
  file = String.raw`C:\disks\a.vhdx`,
): { machine: Machine; controller: CimInstance; drive: CimInstance; disk: CimInstance } {
  const controller = addResource(machine, wanted('scsi-controller'), host);
  const drive = addResource(
    controller.machine,
    wanted('disk-drive', { Parent: pathTo(host, controller.added), AddressOnParent: '0' }),
    host,
  );
  const disk = addResource(
    drive.machine,
    wanted('hard-disk', { Parent: pathTo(host, drive.added), HostResource: [file] }),
    host,
  );
  return { machine: disk.machine, controller: controller.added, drive: drive.added, disk: disk.added };
}
