import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fencedBlocks } from '../support/markdown.js';
import { ROOT, run, type Ran } from '../support/run.js';
import { TestCloud } from '../support/test-cloud.js';

const COMMAND = join(ROOT, 'packages/cli/bin/nova-hyperv.js');

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nova-hyperv-plan-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('with a cloud', () => {
  let cloud: TestCloud;
  let image: string;
  let server: string;
  const nova = (...args: readonly string[]): Promise<Ran> =>
    run(process.execPath, [COMMAND, ...args, '--state', cloud.state], { cwd: folder });
  const json = async (...args: readonly string[]): Promise<Record<string, unknown>> =>
    JSON.parse((await nova(...args, '--json')).stdout) as Record<string, unknown>;

  beforeAll(async () => {
    cloud = await TestCloud.prepare({ engine: 'none', hosts: ['hv1:2022', 'hv2:2012R2'] });
    await cloud.up();
    const disk = join(folder, 'image.vhdx');
    const made = await run(process.execPath, [COMMAND, 'vhd', 'create', disk, '64M']);
    expect(made.stderr).toBe('');
    const rest = await cloud.rest();
    image = await rest.uploadImage('gen2', 'vhd', await readFile(disk), {
      hw_machine_type: 'hyperv-gen2',
      hypervisor_version_requires: '>=10.0',
    });
    await rest.createServers('vm', image, 1);
    const [made1] = await rest.waitServers(({ status }) => status === 'ACTIVE', 60_000);
    server = made1?.id ?? '';
  });
  afterAll(() => cloud?.destroy());

  it('plan takes image and flavor from it by name and by id', async () => {
    const named = await nova('plan', '--image', 'gen2', '--flavor', 'm1.tiny', '--host', 'hv1');
    expect(named).toMatchObject({ code: 0, stderr: '' });
    expect(named.stdout).toMatch(/^memory +512 MB, static$/m);
    expect(await json('plan', '--image', image, '--flavor', '1', '--host', 'HV1')).toMatchObject({
      wouldBoot: true,
      spec: { generation: 2, memory: { startupMb: 512 } },
      image: { id: image },
    });
  });

  it('plan tells every refusal of the other host, and what is no image', async () => {
    const refused = await nova(
      'plan',
      '--image',
      'gen2',
      '--flavor',
      'm1.tiny',
      '--host',
      'hv2',
      '--extra-spec',
      'hw:cpu_features=vmx',
    );
    expect(refused.code).toBe(1);
    expect(refused.stdout).toContain('for 2 reasons');
    expect(refused.stdout).toMatch(/rule: nested virtualization \(usage guide/);
    const wrong = await nova('plan', '--image', 'gone', '--flavor', 'm1.tiny');
    expect(wrong).toMatchObject({ code: 64, stdout: '' });
    expect(wrong.stderr).toContain('no image gone');
    expect((await nova('plan', '--image', 'gen2', '--flavor', 'm1.tiny', '--host', 'hv3')).stderr).toContain(
      'hv1, hv2',
    );
  });

  it('vm show finds a machine by any of its names and says where it is', async () => {
    const found = await json('vm', 'show', 'instance-00000001');
    expect(found).toMatchObject({ host: 'HV1', spec: { instanceUuid: server, generation: 2 } });
    expect((await nova('vm', 'show', server, '--host', 'hv1')).stdout).toMatch(
      /^machine +instance-00000001/m,
    );
    expect((await json('vm', 'show', String(found['id'])))['spec']).toEqual(found['spec']);
    expect((await nova('vm', 'show', server, '--host', 'hv2')).stderr).toContain(
      `no machine ${server} on HV2`,
    );
  });

  it('vm show --diff finds the machine as planned, and what the image says since', async () => {
    expect(await nova('vm', 'show', server, '--diff')).toMatchObject({ code: 0, stderr: '' });
    const changed = [{ op: 'add', path: '/logging_serial_port', value: '2' }];
    const type = { 'content-type': 'application/openstack-images-v2.1-json-patch' };
    await (await cloud.rest()).call('PATCH', `/image/v2/images/${image}`, changed, type);
    const parted = await nova('vm', 'show', server, '--diff');
    expect(parted.code).toBe(1);
    expect(parted.stdout.trim().split('\n')).toEqual([
      'serialPorts[1].pipe',
      expect.stringMatching(/^ {2}planned .*_ro"$/),
      '  observed  null',
    ]);
  });

  it('vm show --diff --plan compares with a plan in a file', async () => {
    const [same, other] = [join(folder, 'same.json'), join(folder, 'other.json')];
    const plan = ['plan', '--image', 'gen2', '--flavor', 'm1.tiny', '--property', 'logging_serial_port=1'];
    await writeFile(same, JSON.stringify(await json(...plan)));
    await writeFile(other, JSON.stringify(await json(...plan, '--vcpus', '2', '--ram', '1024')));
    expect(await nova('vm', 'show', server, '--diff', '--plan', same)).toMatchObject({ code: 0, stderr: '' });
    const { differences } = await json('vm', 'show', server, '--diff', '--plan', other);
    expect(differences).toEqual([
      { field: 'processors.count', planned: 2, observed: 1 },
      { field: 'memory.startupMb', planned: 1024, observed: 512 },
      { field: 'memory.minimumMb', planned: 1024, observed: 512 },
      { field: 'memory.maximumMb', planned: 1024, observed: 512 },
    ]);
    expect((await nova('vm', 'show', server, '--plan', same)).code).toBe(64);
  });

  it('says in one sentence what is ambiguous, and why a login fails', async () => {
    await (await cloud.rest()).uploadImage('gen2', 'vhd', new Uint8Array(1));
    const twice = await nova('plan', '--image', 'gen2', '--flavor', 'm1.tiny');
    expect(twice).toMatchObject({
      code: 1,
      stderr: 'nova-hyperv: 2 images have the name gen2: give an id.\n',
    });
    const clouds = join(folder, 'clouds.yaml');
    const text = await readFile(join(cloud.state, 'clouds.yaml'), 'utf8');
    await writeFile(clouds, text.replace(/password: .*/, 'password: not-this-one'));
    const env = { OS_CLIENT_CONFIG_FILE: clouds };
    const refused = await run(process.execPath, [COMMAND, 'plan', '--image', image, '--flavor', '1'], {
      env,
    });
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(/^nova-hyperv: The identity service answered 401 [^\n]*\n$/);
    expect(refused.stderr).not.toContain('not-this-one');
  });
});

it('the commands of docs/plan.md do what it says, without any cloud', async () => {
  const page = join(ROOT, 'docs/plan.md');
  const bin = join(folder, 'bin');
  await mkdir(bin);
  await writeFile(join(bin, 'nova-hyperv'), `#!/bin/sh\nexec '${process.execPath}' '${COMMAND}' "$@"\n`);
  await chmod(join(bin, 'nova-hyperv'), 0o755);
  const ran = await run('bash', ['-ec', (await fencedBlocks(page, 'sh')).join('\n')], {
    cwd: await mkdtemp(join(folder, 'docs-')),
    env: { PATH: `${bin}:${process.env['PATH'] ?? ''}` },
  });
  expect(ran).toMatchObject({ code: 0, stderr: '' });
  const [refusals = ''] = await fencedBlocks(page, '');
  expect(refusals).toContain('4 reasons');
  expect(ran.stdout).toContain(refusals);
  expect(ran.stdout).toMatch(/^NUMA +nodes of 2 processors/m);
});
