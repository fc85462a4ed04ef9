import { DEFAULT_CONFIG, explainPlan, type VmSpec } from '@nova-hyperv/driver';
import { expect, it } from 'vitest';
import { stateFolder } from '../up/state-folder.js';
import { describeSpec } from './describe-spec.js';
import { chooseHost } from './host-choice.js';

async function spec(properties: Record<string, string>, extraSpecs: Record<string, string>): Promise<VmSpec> {
  const { facts } = await chooseHost('2022', stateFolder('/nowhere'));
  const explanation = explainPlan({
    instance: {
      uuid: 'u',
      name: 'vm',
      hostname: 'vm',
      displayName: 'vm',
      projectId: '',
      userId: '',
      imageRef: 'i',
      metadata: {},
      flavor: {
        flavorId: '1',
        name: 'f',
        vcpus: 4,
        memoryMb: 4096,
        rootGb: 1,
        ephemeralGb: 1,
        swapMb: 0,
        extraSpecs,
      },
    },
    image: {
      id: 'i',
      name: '',
      diskFormat: 'vhd',
      containerFormat: 'bare',
      sizeBytes: 0,
      minDiskGb: 0,
      minRamMb: 0,
      properties,
    },
    vifs: [],
    host: facts,
    config: DEFAULT_CONFIG,
  });
  if (explanation.spec === null) throw new Error(JSON.stringify(explanation.refusals));
  return explanation.spec;
}

it('tells generation 1 with all its controllers', async () => {
  const text = describeSpec(await spec({}, { 'quota:disk_total_iops_sec': '7' }));
  expect(text).toMatch(/^machine +vm, generation 1$/m);
  expect(text).toMatch(/^firmware +BIOS, boots hard-disk, cd, network, floppy$/m);
  expect(text).toMatch(/^IDE controller 0 +0: disk .*root\.vhd, at most 7 IOPS/m);
  expect(text).toMatch(/^IDE controller 0 +1: disk .*eph0\.vhdx/m);
  expect(text).toMatch(/^other devices +synthetic display$/m);
  expect(text).toMatch(/^IDE controller 1 +empty$/m);
});

it('tells generation 2, NUMA nodes, nested virtualization and a second serial port', async () => {
  const image = { hw_machine_type: 'hyperv-gen2', logging_serial_port: '2' };
  const text = describeSpec(await spec(image, { 'hw:numa_nodes': '2', 'hw:cpu_features': 'vmx' }));
  expect(text).toMatch(/^firmware +UEFI, boots scsi:0:0/m);
  expect(text).toMatch(/^NUMA +nodes of 2 processors and 2048 MB/m);
  expect(text).toMatch(/^processors +4, .*nested virtualization$/m);
  expect(text).toMatch(/^COM2 +\\\\\.\\pipe\\u_ro$/m);
});
