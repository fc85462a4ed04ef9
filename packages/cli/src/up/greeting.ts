import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { HostSpec } from './hosts.js';
import type { StateFolder } from './state-folder.js';

/** What is printed when the cloud is ready: every line can be pasted into a shell. */
export function greeting(
  state: StateFolder,
  url: string,
  hosts: readonly HostSpec[],
  detached: boolean,
): string {
  const guest = join(state.guests, 'gen2.vhdx');
  const lines = [
    `OpenStack answers at ${url}/identity`,
    ...hosts.map(
      (host) =>
        `  Hyper-V host ${host.name}: Windows Server ${host.release}, emulated${host.guarded === true ? ', guarded' : ''}`,
    ),
    '',
    'Try it with the unmodified clients (Debian: apt-get install python3-openstackclient):',
    '',
    `  export OS_CLIENT_CONFIG_FILE=${state.cloudsYaml} OS_CLOUD=nova-hyperv`,
  ];
  if (existsSync(guest)) {
    lines.push(
      `  openstack image create --property hypervisor_type=hyperv --property hw_machine_type=hyperv-gen2 \\`,
      `    --property 'hypervisor_version_requires=>=6.3' --disk-format vhd --container-format bare --file ${guest} gen2`,
      '  openstack server create --image gen2 --flavor m1.tiny --network private --wait vm1',
      '  openstack console log show vm1',
    );
  } else {
    lines.push(
      '  openstack image create --disk-format vhdx --container-format bare --file YOUR.vhdx my-image',
    );
  }
  lines.push(
    '',
    detached ? `Stop it with: script/down --state ${state.root}` : 'Stop it with Ctrl-C.',
    `Log: ${state.log}`,
  );
  return lines.join('\n');
}
