import { createHash } from 'node:crypto';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HyperVHost } from '@nova-hyperv/hyperv';
import { openDisk } from '@nova-hyperv/vhd';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  diskImage,
  FileImages,
  MIB,
  filesLeft,
  spawnRequest,
  startTestHost,
  testImage,
  testInstance,
} from '../support/driver-host.js';
import type { TestHost } from '../support/driver-host.js';
import { connectSwitchable, failing } from '../support/failing-client.js';
import type { Failure } from '../support/failing-client.js';

let test: TestHost;
beforeEach(async () => {
  test = await startTestHost();
});
afterEach(async () => {
  await test.close();
});

async function machines(host: HyperVHost): Promise<number> {
  return (await host.machines.list()).length;
}

describe('a spawn that fails', () => {
  it.each<[Failure, 1 | 2]>([
    ['fault', 2],
    ['unanswered', 2],
    ['lost answer', 2],
    ['fault', 1],
    ['lost answer', 1],
  ])(
    'by %s of any call leaves nothing (generation %i)',
    async (failure, generation) => {
      const images = await diskImage(test.folder, generation === 2 ? 'vhdx' : 'vhd');
      let succeeded = 0;
      for (let which = 1; succeeded === 0 && which < 60; which += 1) {
        const seen: string[] = [];
        const { driver, use } = await connectSwitchable(test);
        use(failing(test.client, which, failure, seen));
        const instance = testInstance(which, { ephemeralGb: 1 });
        const outcome = await driver
          .spawn(spawnRequest(images, { number: which, generation, instance }))
          .then(
            () => 'spawned',
            (error: unknown) => error,
          );
        if (seen.length < which) succeeded = which;
        use(test.client);
        if (outcome === 'spawned') {
          // A call whose failure does no harm (a poll that is repeated, a shape with a fallback).
          await driver.destroy(instance);
        } else {
          expect(outcome).toMatchObject({ novaName: 'NovaException' });
        }
        expect([which, seen[which - 1], await machines(test.host), await filesLeft(test.instances)]).toEqual([
          which,
          seen[which - 1],
          0,
          [],
        ]);
      }
      expect(succeeded).toBeGreaterThan(13);
    },
    120_000,
  );

  it('by the ports, by its caller, or by the image, leaves nothing', async () => {
    const images = await diskImage(test.folder, 'vhdx');
    const plug = test.driver.spawn(
      spawnRequest(images, { waitForPlugged: () => Promise.reject(new Error('no event')) }),
    );
    await expect(plug).rejects.toThrow('no event');
    const abort = new AbortController();
    const aborted = test.driver.spawn(
      spawnRequest(images, {
        signal: abort.signal,
        onPhase: (phase) => {
          if (phase === 'disks and definition') abort.abort();
        },
      }),
    );
    await expect(aborted).rejects.toThrow();
    expect([await machines(test.host), await filesLeft(test.instances)]).toEqual([0, []]);

    const lie = join(test.folder, 'lie.vhdx');
    await writeFile(lie, Buffer.concat([Buffer.from('514649fb00000003', 'hex'), Buffer.alloc(70_000)]));
    const qcow2 = test.driver.spawn(
      spawnRequest(new FileImages(lie), {
        image: testImage(2, { id: 'aaaaaaaa-0000-4000-8000-000000000000' }),
      }),
    );
    await expect(qcow2).rejects.toMatchObject({
      novaName: 'ImageUnacceptable',
      message: expect.stringContaining('QCOW2'),
    });
    const broken = test.driver.spawn(
      spawnRequest(
        {
          download: async (_id, target) => {
            await writeFile(target, 'half');
            throw new Error('the hash is wrong');
          },
        },
        { image: testImage(2, { id: 'bbbbbbbb-0000-4000-8000-000000000000' }) },
      ),
    );
    await expect(broken).rejects.toThrow('the hash is wrong');
    expect(await filesLeft(test.instances)).toEqual([]);
    expect(await readdir(join(test.instances, '_base'))).toHaveLength(1);
  });

  it.each(['vhdx', 'vhd'] as const)(
    'by a %s that was cut short names no file of this machine',
    async (format) => {
      const images = await diskImage(test.folder, format);
      const file = join(test.folder, `image.${format}`);
      const disk = await openDisk(file);
      await disk.write(Buffer.alloc(4 * MIB, 1), 20 * MIB);
      await disk.close();
      const whole = await readFile(file);
      await writeFile(file, whole.subarray(0, whole.length - 3 * MIB));
      const request = spawnRequest(images, { generation: format === 'vhdx' ? 2 : 1 });
      const failure = await test.driver.spawn(request).catch((error: unknown) => error);
      expect(failure).toMatchObject({ novaName: 'ImageUnacceptable', scope: 'request' });
      expect((failure as Error).message).toContain(request.image.id);
      expect((failure as Error).message).not.toContain(test.folder);
      expect([await machines(test.host), await filesLeft(test.instances)]).toEqual([0, []]);
      expect(await readdir(join(test.instances, '_base'))).toEqual([]);
      await writeFile(file, whole);
      await test.driver.spawn(request);
    },
  );

  it('by a refusal touches no machine and no file', async () => {
    const vhd = await diskImage(test.folder, 'vhd');
    const refused = test.driver.spawn(spawnRequest(vhd, { image: testImage(2, { diskFormat: 'vhd' }) }));
    await expect(refused).rejects.toMatchObject({ novaName: 'InstanceUnacceptable', scope: 'request' });
    const early = new FileImages(join(test.folder, 'image.vhd'));
    const machineType = test.driver.spawn(
      spawnRequest(early, { image: testImage(1, { properties: { hw_machine_type: 'q35' } }) }),
    );
    await expect(machineType).rejects.toMatchObject({ novaName: 'InstanceUnacceptable' });
    expect(early.downloads).toBe(0);
    expect([await machines(test.host), await filesLeft(test.instances)]).toEqual([0, []]);
  });

  it('because its machine is removed meanwhile is no "InstanceNotFound", which Nova takes for a deletion', async () => {
    const images = await diskImage(test.folder, 'vhdx');
    const spawned = test.driver.spawn(
      spawnRequest(images, {
        waitForPlugged: async () => {
          for (const machine of await test.host.machines.list()) await test.host.power.destroy(machine);
        },
      }),
    );
    await expect(spawned).rejects.toMatchObject({ novaName: 'NovaException', scope: 'host' });
    expect(await filesLeft(test.instances)).toEqual([]);
  });

  it('because its name is taken touches the other machine in no way', async () => {
    const images = await diskImage(test.folder, 'vhdx');
    await test.driver.spawn(spawnRequest(images));
    const other = { ...testInstance(1), uuid: 'cccccccc-0000-4000-8000-000000000000' };
    await expect(test.driver.spawn(spawnRequest(images, { instance: other }))).rejects.toMatchObject({
      novaName: 'InstanceExists',
    });
    await test.driver.destroy(other);
    expect((await test.driver.getInfo(testInstance(1))).powerState).toBe(1);
    expect(await filesLeft(test.instances)).toContain('instance-00000001/root.vhdx');
    await expect(test.driver.getInfo(other)).rejects.toMatchObject({ novaName: 'InstanceNotFound' });
  });

  it('because its folder belongs to somebody else leaves that folder', async () => {
    const images = await diskImage(test.folder, 'vhdx');
    await mkdir(join(test.instances, 'instance-00000001'));
    await writeFile(join(test.instances, 'instance-00000001', 'precious'), 'x');
    await expect(test.driver.spawn(spawnRequest(images))).rejects.toMatchObject({
      novaName: 'InstanceExists',
    });
    expect(await filesLeft(test.instances)).toEqual(['instance-00000001', 'instance-00000001/precious']);
  });
});

describe('removeLeftovers', () => {
  it('removes what a killed process left, at whatever call it died', async () => {
    const images = await diskImage(test.folder, 'vhdx');
    const kept = testInstance(999);
    await test.driver.spawn(spawnRequest(images, { number: 999 }));
    for (let calls = 1; calls < 16; calls += 1) {
      // A process that dies answers nobody any more: everything after its last call never happens, the rollback neither.
      const seen: string[] = [];
      let dead = false;
      const { driver, use } = await connectSwitchable(test);
      const dying = new Proxy(test.client, {
        get(target, key) {
          const value: unknown = Reflect.get(target, key, target);
          if (typeof value !== 'function') return value;
          if (key === 'close') return () => Promise.resolve();
          return async (...given: unknown[]) => {
            if (dead) return new Promise(() => undefined);
            seen.push(String(key));
            const answer: unknown = await value.apply(target, given);
            if (seen.length >= calls) {
              dead = true;
              return new Promise(() => undefined);
            }
            return answer;
          };
        },
      });
      use(dying);
      void driver.spawn(spawnRequest(images, { number: calls }));
      await expect.poll(() => dead, { timeout: 5000 }).toBe(true);
      await new Promise((resolve) => setTimeout(resolve, 30));
      await writeFile(join(test.instances, '_base', '.x.HV1.part'), 'half');
      const removed = await test.driver.removeLeftovers((uuid) =>
        Promise.resolve(uuid === kept.uuid ? 'keep' : 'remove'),
      );
      expect(removed.length).toBeGreaterThan(0);
      const files = (await filesLeft(test.instances)).filter((file) => !file.startsWith(kept.name));
      expect([calls, files, (await test.driver.listInstances()).map(({ uuid }) => uuid)]).toEqual([
        calls,
        [],
        [kept.uuid],
      ]);
    }
  }, 120_000);

  it('keeps what is known, and other people’s machines and folders', async () => {
    const images = await diskImage(test.folder, 'vhdx');
    await test.driver.spawn(spawnRequest(images));
    await test.host.machines.define({ ElementName: 'foreign', Notes: ['not a uuid'] }, []);
    await mkdir(join(test.instances, 'foreign'));
    const before = createHash('sha256')
      .update((await filesLeft(test.instances)).join())
      .digest('hex');
    expect(await test.driver.removeLeftovers(() => Promise.resolve('keep'))).toEqual([]);
    expect(
      createHash('sha256')
        .update((await filesLeft(test.instances)).join())
        .digest('hex'),
    ).toBe(before);
    await test.driver.removeLeftovers(() => Promise.resolve('remove'));
    expect(await filesLeft(test.instances)).toEqual(['foreign']);
    expect(await machines(test.host)).toBe(1);
  });
});
