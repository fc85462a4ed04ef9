import { ComputeError } from '@nova-hyperv/compute';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALICE, NovaBench } from '../testing/bench.js';
import type { FakeCompute } from '../testing/fakes.js';

let bench: NovaBench;
let compute: FakeCompute;
let id: string;
beforeEach(async () => {
  bench = await NovaBench.create();
  compute = await bench.addHost('hv1');
  id = (await bench.boot({ name: 'vm' }, { as: ALICE })).json<{ server: { id: string } }>().server.id;
});
afterEach(() => bench.close());

describe('diagnostics of a server', () => {
  it('have one format for all drivers from 2.48 on; what a host does not tell is null', async () => {
    const answer = await bench.ask('GET', `/servers/${id}/diagnostics`, { version: '2.48' });
    expect(answer.status).toBe(200);
    expect(answer.json()).toEqual({
      state: 'running',
      driver: 'hyperv',
      hypervisor: 'hyperv',
      hypervisor_os: 'Windows 10.0.20348',
      uptime: 90,
      config_drive: false,
      num_cpus: 2,
      num_nics: 1,
      num_disks: 1,
      cpu_details: [{ id: null, time: null, utilisation: 25 }],
      memory_details: { maximum: 1024, used: 512 },
      disk_details: [
        {
          read_bytes: 1_048_576,
          read_requests: null,
          write_bytes: null,
          write_requests: null,
          errors_count: null,
        },
      ],
      nic_details: [
        {
          mac_address: 'fa:16:3e:00:00:01',
          rx_octets: 2_097_152,
          rx_errors: null,
          rx_drop: null,
          rx_packets: null,
          rx_rate: null,
          tx_octets: null,
          tx_errors: null,
          tx_drop: null,
          tx_packets: null,
          tx_rate: null,
        },
      ],
    });
  });

  it('are flat before', async () => {
    expect((await bench.ask('GET', `/servers/${id}/diagnostics`, { version: '2.47' })).json()).toEqual({
      uptime: 90,
      cpu_load: 25,
      memory: 1_048_576,
      'memory-actual': 524_288,
      disk0_read: 1_048_576,
      disk0_write: null,
      nic0_rx: 2_097_152,
      nic0_tx: null,
    });
  });

  it('are for administrators, of servers that are there and run', async () => {
    const status = async (as?: string, server = id): Promise<number> =>
      (await bench.ask('GET', `/servers/${server}/diagnostics`, as === undefined ? {} : { as })).status;
    expect(await status(ALICE)).toBe(403);
    expect(await status(undefined, '00000000-0000-4000-8000-000000000000')).toBe(404);
    compute.getInstanceDiagnostics = async () => {
      throw new ComputeError('InstanceInvalidState', `Instance ${id} in power state shutdown.`);
    };
    expect(await status()).toBe(409);
    bench.computes.clear();
    expect(await status()).toBe(503);
  });
});
