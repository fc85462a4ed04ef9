import { DriverError } from '@nova-hyperv/driver';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BenchHost } from '../testing/bench-host.js';

const IMAGE = '55555555-0000-4000-8000-000000000001';

let bench: BenchHost;
beforeEach(async () => {
  bench = await BenchHost.create({ syncPowerStateIntervalSeconds: 0 });
});
afterEach(() => bench.close());

/** As the API leaves it: the image is queued, the task set. */
async function asked(uuid: string): Promise<void> {
  bench.openstack.addImage(IMAGE, Buffer.alloc(0), {
    status: 'queued',
    disk_format: null,
    container_format: null,
    instance_uuid: uuid,
    image_type: 'snapshot',
  });
  await bench.instances.save(uuid, { taskState: 'image_snapshot_pending' });
}

async function snapshot(uuid: string): Promise<void> {
  await asked(uuid);
  await bench.manager.snapshotInstance({ instanceUuid: uuid, imageId: IMAGE, requestId: 'req-1' });
  await bench.manager.idle();
}

describe('an image of an instance', () => {
  it('gets the disk and its format; the instance goes through Nova’s tasks and back', async () => {
    const { uuid, name } = await bench.active();
    const tasks: unknown[] = [];
    bench.openstack.intercept = ({ method }) => {
      if (method === 'PATCH' || method === 'PUT') tasks.push(bench.get(uuid).taskState);
      return undefined;
    };
    bench.driver.script = (method) => void (method === 'snapshot' && tasks.push(bench.get(uuid).taskState));
    await snapshot(uuid);
    expect(tasks.filter((task) => task !== null)).toEqual([
      'image_snapshot',
      'image_uploading',
      'image_uploading',
    ]);
    const image = bench.openstack.images.get(IMAGE);
    expect(image?.data.toString()).toBe(`disk of ${name}`);
    expect(image?.attributes).toMatchObject({
      status: 'active',
      disk_format: 'vhdx',
      container_format: 'bare',
    });
    expect(bench.get(uuid)).toMatchObject({ vmState: 'active', taskState: null });
    expect(bench.instances.events.at(-1)).toMatchObject({ event: 'compute_snapshot_instance', error: null });
  });

  it.each([
    ['the host', () => bench.driver],
    ['Glance', () => undefined],
  ])('that %s does not give is deleted, and the instance is as it was', async (who, driver) => {
    const { uuid } = await bench.active();
    const scripted = driver();
    if (scripted !== undefined) {
      scripted.script = (method) => {
        if (method === 'snapshot') throw new DriverError('NovaException', 'The disk cannot be frozen.');
      };
    } else {
      bench.openstack.intercept = ({ method, path }) =>
        method === 'PUT' && path.endsWith('/file') ? { status: 413 } : undefined;
    }
    await snapshot(uuid);
    expect([who, bench.openstack.images.has(IMAGE)]).toEqual([who, false]);
    expect(bench.get(uuid)).toMatchObject({ vmState: 'active', taskState: null });
    expect(bench.instances.events.at(-1)?.error).not.toBeNull();
  });

  it('of an instance that is gone is deleted', async () => {
    bench.openstack.addImage(IMAGE, Buffer.alloc(0), { status: 'queued' });
    await bench.manager.snapshotInstance({ instanceUuid: 'gone', imageId: IMAGE, requestId: 'req-1' });
    await bench.manager.idle();
    expect(bench.openstack.images.has(IMAGE)).toBe(false);
  });

  it('that a kill cut off is deleted at the next start, and the host is cleaned up', async () => {
    const { uuid } = await bench.active();
    await asked(uuid);
    await bench.instances.save(uuid, { taskState: 'image_uploading' });
    await bench.restart();
    await bench.manager.idle();
    expect(bench.driver.calls.map(({ method }) => method)).toContain('cleanUpSnapshot');
    expect(bench.openstack.images.has(IMAGE)).toBe(false);
    expect(bench.get(uuid)).toMatchObject({ vmState: 'active', taskState: null });
  });
});
