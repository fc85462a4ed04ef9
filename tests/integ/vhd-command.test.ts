import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  link,
  mkdtemp,
  open,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ROOT, run, runOk, type Ran } from '../support/run.js';

const BIN = join(ROOT, 'packages/cli/bin/nova-hyperv.js');
const MIB = 2 ** 20;
/** Whole cylinders, so that QEMU and we agree on a VHD's size. */
const SIZE = 17 * 4 * 512 * 1200;

let folder: string;
const children: ChildProcess[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nova-hyperv-vhd-command-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

const vhd = (...words: string[]): Promise<Ran> =>
  run(process.execPath, [BIN, 'vhd', ...words], { cwd: folder });
const tool = (file: string, ...words: string[]): Promise<string> => runOk(file, words, { cwd: folder });
/** Names in the folder, hidden ones too. */
const names = async (): Promise<string[]> => (await readdir(folder)).toSorted();

/** Runs a command that must succeed; its JSON. */
async function vhdJson(...words: string[]): Promise<Record<string, unknown>> {
  const ran = await vhd(...words, '--json');
  if (ran.code !== 0) throw new Error(`vhd ${words.join(' ')}: ${ran.code} ${ran.stdout} ${ran.stderr}`);
  return JSON.parse(ran.stdout);
}

/** A command that must fail: exit code, and the code of its error. */
async function refusal(...words: string[]): Promise<{ exit: number; code: string; message: string }> {
  const ran = await vhd(...words, '--json');
  const { error } = JSON.parse(ran.stdout);
  expect(error.exitCode).toBe(ran.code);
  expect(ran.stderr).toContain(error.message);
  return { exit: ran.code, code: error.code, message: error.message };
}

/** A plain image with two patches of data. */
async function rawImage(name: string, size = SIZE): Promise<void> {
  const file = await open(join(folder, name), 'w');
  const pattern = Buffer.from(
    Array.from({ length: 3 * MIB }, (_, index) => (index * 7 + (index >> 9)) % 251),
  );
  await file.truncate(size);
  await file.write(pattern, 0, pattern.length, 5 * MIB + 512);
  await file.write(pattern, 0, 4096, size - 4096);
  await file.close();
}

interface Served {
  readonly child: ChildProcess;
  readonly uri: string;
}

async function serve(...words: string[]): Promise<Served> {
  const child = spawn(process.execPath, [BIN, 'vhd', 'serve', ...words], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const [line] = await once(child.stdout, 'data');
  return { child, uri: String(line).trim() };
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  child.kill(signal);
  const [code] = await once(child, 'exit');
  return code;
}

const qemuFormat = (format: string): string => (format === 'vhd' ? 'vpc' : format);

describe('create, info, convert', () => {
  it.each([
    ['vhd', 'dynamic'],
    ['vhd', 'fixed'],
    ['vhdx', 'dynamic'],
    ['vhdx', 'fixed'],
  ])('makes a %s, %s, of a plain image and back; qemu-img agrees', async (format, type) => {
    await rawImage('in.raw');
    const file = `disk.${format}`;
    await vhdJson('convert', 'in.raw', file, '--source-format', 'raw', '--type', type);
    expect(await vhdJson('info', file)).toMatchObject({ format, type, virtualSize: SIZE });
    await tool('qemu-img', 'compare', '-f', 'raw', '-F', qemuFormat(format), 'in.raw', file);
    expect((await stat(join(folder, file))).blocks * 512).toBeLessThan(16 * MIB);
    await vhdJson('convert', file, 'back.img');
    await tool('cmp', 'in.raw', 'back.img');
    await vhdJson('create', `empty.${format}`, String(SIZE), '--type', type);
    const seen = JSON.parse(
      await tool('qemu-img', 'info', '--output=json', '-f', qemuFormat(format), `empty.${format}`),
    );
    expect(seen['virtual-size']).toBe(SIZE);
    expect(await names()).toEqual(['back.img', file, `empty.${format}`, 'in.raw'].toSorted());
  });

  it('takes what QEMU made, and the shape that is asked for', async () => {
    await rawImage('in.raw');
    await tool('qemu-img', 'convert', '-O', 'vhdx', '-f', 'raw', 'in.raw', 'theirs');
    await vhdJson('convert', 'theirs', 'ours.vhd');
    await tool('qemu-img', 'compare', '-f', 'raw', '-F', 'vpc', 'in.raw', 'ours.vhd');
    const shape = ['--block-size', '1M', '--logical-sector-size', '4096', '--physical-sector-size', '4096'];
    expect(await vhdJson('create', 'disk.vhdx', '64T', ...shape)).toMatchObject({
      virtualSize: 2 ** 46,
      blockSize: MIB,
      logicalSectorSize: 4096,
    });
    expect((await vhd('info', 'disk.vhdx')).stdout).toMatch(
      /virtual size +70368744177664 bytes \(64\.0 TiB\)/,
    );
  });
});

describe('what is refused', () => {
  it('does not guess that a file is a plain image', async () => {
    await rawImage('in.raw');
    expect(await refusal('convert', 'in.raw', 'out.vhdx')).toMatchObject({ exit: 64, code: 'USAGE' });
    await tool('qemu-img', 'create', '-q', '-f', 'qcow2', 'x.vhdx', '1G');
    expect((await refusal('convert', 'x.vhdx', 'out.vhdx')).message).toContain('QCOW2');
    expect(await names()).toEqual(['in.raw', 'x.vhdx']);
  });

  it('never overwrites, unless it is told to, and then only with something whole', async () => {
    await rawImage('in.raw');
    await writeFile(join(folder, 'mine.vhdx'), 'precious');
    const convert = ['convert', 'in.raw', 'mine.vhdx', '--source-format', 'raw'];
    expect(await refusal(...convert)).toMatchObject({ exit: 73, code: 'VHD_EXISTS' });
    expect(await refusal('create', 'mine.vhdx', '1G')).toMatchObject({ exit: 73, code: 'VHD_EXISTS' });
    expect(await refusal('convert', 'gone.vhd', 'mine.vhdx', '--force')).toMatchObject({
      exit: 1,
      code: 'ENOENT',
    });
    expect(await readFile(join(folder, 'mine.vhdx'), 'utf8')).toBe('precious');
    await vhdJson(...convert, '--force');
    await tool('qemu-img', 'compare', '-f', 'raw', '-F', 'vhdx', 'in.raw', 'mine.vhdx');
    expect(await names()).toEqual(['in.raw', 'mine.vhdx']);
  });

  it('refuses a target that is the source, by whatever name, or one of its parents', async () => {
    await vhdJson('create', 'base.vhdx', '64M');
    await vhdJson('create', 'child.vhdx', '--parent', 'base.vhdx');
    await symlink('child.vhdx', join(folder, 'soft.vhdx'));
    await link(join(folder, 'child.vhdx'), join(folder, 'hard.vhdx'));
    for (const target of ['child.vhdx', 'soft.vhdx', 'hard.vhdx', 'base.vhdx'])
      expect(await refusal('convert', 'child.vhdx', target, '--force')).toMatchObject({ exit: 64 });
    expect(await vhdJson('info', 'child.vhdx', '--chain')).toMatchObject({
      parents: [{ virtualSize: 64 * MIB }],
    });
  });

  it.each([
    [['create', 'x.vhdx']],
    [['create', 'x.vhdx', '10Q']],
    [['create', 'x.foo', '1G']],
    [['create', 'x.vhdx', '1G', '--type', 'differencing']],
    [['create', 'x.vhdx', '1G', '--format', 'qcow2']],
    [['resize', 'x.vhdx']],
    [['resize', 'x.vhdx', '1Q']],
    [['serve', 'x.vhdx']],
    [['explode']],
  ])('%j is a mistake in the command line', async (words) => {
    expect(await refusal(...words)).toMatchObject({ exit: 64, code: 'USAGE' });
    expect(await names()).toEqual([]);
  });

  it('opens no parent outside the folders that it was told', async () => {
    await tool('mkdir', 'a', 'b');
    await vhdJson('create', 'a/base.vhdx', '64M');
    await vhdJson('create', 'b/child.vhdx', '--parent', 'a/base.vhdx');
    expect(await refusal('convert', 'b/child.vhdx', 'x.raw')).toMatchObject({
      exit: 1,
      code: 'VHD_PARENT_MISSING',
    });
    await vhdJson('convert', 'b/child.vhdx', 'x.raw', '--parent-folder', 'a');
  });
});

describe('chains', () => {
  it('are served to QEMU, which cannot open them, and merged; qemu-img compares', async () => {
    await rawImage('want.raw');
    await vhdJson('convert', 'want.raw', 'base.vhdx', '--source-format', 'raw');
    await vhdJson('create', 'middle.vhdx', '--parent', 'base.vhdx');
    await vhdJson('create', 'top.vhdx', '--parent', 'middle.vhdx');
    expect((await run('qemu-img', ['info', 'top.vhdx'], { cwd: folder })).code).not.toBe(0);
    for (const [layer, byte] of [
      ['middle.vhdx', '0x11'],
      ['top.vhdx', '0x22'],
    ] as const) {
      const { child, uri } = await serve(layer, '--socket', 's', '--name', 'disk one');
      expect(uri).toBe(`nbd+unix:///disk%20one?socket=${folder}/s`);
      const offset = layer === 'top.vhdx' ? '9M' : '7M';
      const write = ['-c', `write -P ${byte} ${offset} 700k`];
      await tool('qemu-io', '-f', 'raw', ...write, uri);
      await tool('qemu-io', '-f', 'raw', ...write, 'want.raw');
      await tool('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', uri, 'want.raw');
      await tool('nbdcopy', uri, 'copied.raw');
      await tool('cmp', 'copied.raw', 'want.raw');
      expect(await ended(child, 'SIGTERM')).toBe(0);
      // The middle one's identifier changed when it was written to.
      if (layer === 'middle.vhdx') await vhdJson('create', 'top.vhdx', '--parent', layer, '--force');
    }
    await vhdJson('convert', 'top.vhdx', 'flat.vhd');
    await tool('qemu-img', 'compare', '-f', 'vpc', '-F', 'raw', 'flat.vhd', 'want.raw');
    await vhdJson('merge', 'top.vhdx', '--output', 'whole.vhdx');
    await tool('qemu-img', 'compare', '-f', 'vhdx', '-F', 'raw', 'whole.vhdx', 'want.raw');
    expect(await refusal('merge', 'base.vhdx')).toMatchObject({ exit: 1 });
    await vhdJson('merge', 'top.vhdx', '--into', 'base.vhdx', '--remove-merged');
    await tool('qemu-img', 'compare', '-f', 'vhdx', '-F', 'raw', 'base.vhdx', 'want.raw');
    expect(await names()).toEqual(['base.vhdx', 'copied.raw', 'flat.vhd', 'want.raw', 'whole.vhdx']);
  });

  it('find a parent that was moved', async () => {
    await vhdJson('create', 'base.vhd', String(SIZE));
    await vhdJson('create', 'child.vhd', '--parent', 'base.vhd');
    await tool('mv', 'base.vhd', 'moved.vhd');
    expect(await refusal('info', 'child.vhd', '--chain')).toMatchObject({
      exit: 1,
      code: 'VHD_PARENT_MISSING',
    });
    await vhdJson('create', 'other.vhd', String(SIZE));
    expect(await refusal('set-parent', 'child.vhd', 'other.vhd')).toMatchObject({
      code: 'VHD_PARENT_MISMATCH',
    });
    await vhdJson('set-parent', 'child.vhd', 'moved.vhd');
    expect(await tool('vhdiinfo', 'child.vhd')).toMatch(/Parent filename\s*:\s*moved\.vhd/);
    await vhdJson('set-parent', 'child.vhd', 'other.vhd', '--ignore-id-mismatch');
    expect(await vhdJson('info', 'child.vhd', '--chain')).toMatchObject({ parents: [{ virtualSize: SIZE }] });
  });
});

describe('a disk in use', () => {
  it('is left alone by every command that writes, grows on order, and is free when its server was killed', async () => {
    await vhdJson('create', 'base.vhdx', '64M');
    await vhdJson('create', 'child.vhdx', '--parent', 'base.vhdx');
    const { child, uri } = await serve('child.vhdx', '--socket', 's', '--pid-file', 'pid');
    expect(Number(await readFile(join(folder, 'pid'), 'utf8'))).toBe(child.pid);
    for (const words of [
      ['resize', 'child.vhdx', '+64M'],
      ['resize', 'base.vhdx', '+64M'],
      ['compact', 'child.vhdx'],
      ['merge', 'child.vhdx'],
      ['check', 'child.vhdx', '--repair'],
      ['set-parent', 'child.vhdx', 'base.vhdx'],
      ['convert', 'child.vhdx', 'x.raw'],
      ['serve', 'child.vhdx', '--socket', 't'],
      ['create', 'base.vhdx', '1G', '--force'],
    ])
      expect(await refusal(...words)).toMatchObject({ exit: 75, code: 'VHD_IN_USE' });
    await vhdJson('info', 'child.vhdx', '--chain');
    expect((await tool('nbdinfo', '--size', uri)).trim()).toBe(String(64 * MIB));
    expect(await vhdJson('resize', '--socket', 's', '+64M')).toMatchObject({ virtualSize: 128 * MIB });
    expect((await tool('nbdinfo', '--size', uri)).trim()).toBe(String(128 * MIB));
    await tool('qemu-io', '-f', 'raw', '-c', 'write -P 0x33 127M 1M', '-c', 'flush', uri);
    expect(await refusal('resize', '--socket', 's', '1M')).toMatchObject({ exit: 1 });

    await ended(child, 'SIGKILL');
    expect(await refusal('resize', '--socket', 's', '+1M')).toMatchObject({ exit: 69 });
    expect(await refusal('convert', 'child.vhdx', 'x.raw')).toMatchObject({
      code: 'VHD_LOG_NEEDS_REPLAY',
      message: expect.stringContaining('vhd check --repair'),
    });
    await vhdJson('check', 'child.vhdx', '--repair');
    expect(await vhdJson('resize', 'child.vhdx', '+64M')).toMatchObject({ virtualSize: 192 * MIB });
    const again = await serve('child.vhdx', '--socket', 's', '--pid-file', 'pid', '--read-only');
    await tool('qemu-io', '-r', '-f', 'raw', '-c', 'read -P 0x33 127M 1M', again.uri);
    const second = await serve('child.vhdx', '--socket', 't', '--read-only');
    expect(await ended(second.child, 'SIGINT')).toBe(0);
    expect(await ended(again.child, 'SIGTERM')).toBe(0);
    expect(await names()).toEqual(['base.vhdx', 'child.vhdx']);
  });

  it('is left alone too when QEMU has it open', async () => {
    await vhdJson('create', 'disk.vhdx', '64M');
    const nbd = spawn('qemu-nbd', ['-t', '-k', join(folder, 's'), '-f', 'vhdx', join(folder, 'disk.vhdx')]);
    children.push(nbd);
    await expect.poll(names, { timeout: 20_000 }).toContain('s');
    expect(await refusal('resize', 'disk.vhdx', '+1M')).toMatchObject({ exit: 75, code: 'VHD_IN_USE' });
    await ended(nbd, 'SIGTERM');
    await vhdJson('resize', 'disk.vhdx', '+1M');
  });
});

describe('resize, compact, check', () => {
  it('grow a disk, and make it smaller only behind its last partition', async () => {
    await writeFile(join(folder, 'in.raw'), '');
    await truncate(join(folder, 'in.raw'), 64 * MIB);
    await tool('/usr/sbin/sgdisk', '-n', '1:2048:+20M', 'in.raw');
    await vhdJson('convert', 'in.raw', 'disk.vhdx', '--source-format', 'raw');
    expect(await vhdJson('resize', 'disk.vhdx', '+1G')).toMatchObject({
      previousSize: 64 * MIB,
      virtualSize: 1088 * MIB,
    });
    const seen = JSON.parse(await tool('qemu-img', 'info', '--output=json', 'disk.vhdx'));
    expect(seen['virtual-size']).toBe(1088 * MIB);
    expect((await refusal('resize', 'disk.vhdx', '4M')).exit).toBe(1);
    const { virtualSize } = await vhdJson('resize', 'disk.vhdx', '--to-minimum');
    expect(virtualSize).toBeGreaterThan(21 * MIB);
    expect(virtualSize).toBeLessThan(23 * MIB);
    await vhdJson('resize', 'disk.vhdx', '4M', '--force');
    expect(await vhdJson('info', 'disk.vhdx')).toMatchObject({ virtualSize: 4 * MIB });
  });

  it('give space back that holds zeros', async () => {
    await rawImage('in.raw');
    await vhdJson('convert', 'in.raw', 'disk.vhdx', '--source-format', 'raw', '--block-size', '1M');
    for (const file of ['disk.vhdx', 'in.raw'])
      await tool(
        'qemu-io',
        '-f',
        file === 'in.raw' ? 'raw' : 'vhdx',
        '-c',
        'write -P 0x55 12M 16M',
        '-c',
        'write -P 0 12M 16M',
        file,
      );
    const before = (await stat(join(folder, 'disk.vhdx'))).size;
    await vhdJson('compact', 'disk.vhdx');
    expect((await stat(join(folder, 'disk.vhdx'))).size).toBeLessThanOrEqual(before - 15 * MIB);
    await tool('qemu-img', 'compare', '-f', 'vhdx', '-F', 'raw', 'disk.vhdx', 'in.raw');
    await tool('qemu-img', 'check', '-f', 'vhdx', 'disk.vhdx');
  });

  it('find damage, say where, and put right what has a second copy', async () => {
    await rawImage('in.raw');
    await vhdJson('convert', 'in.raw', 'disk.vhdx', '--source-format', 'raw');
    expect(await vhdJson('check', 'disk.vhdx')).toMatchObject({ whole: true, findings: [] });
    const file = await open(join(folder, 'disk.vhdx'), 'r+');
    await file.write(Buffer.alloc(64, 0xee), 0, 64, 64 * 1024);
    const worn = await vhd('check', 'disk.vhdx');
    expect(worn.code).toBe(3);
    expect(worn.stdout).toMatch(/warning: header-damaged at byte 65536/);
    const repaired = await vhd('check', 'disk.vhdx', '--repair', '--json');
    expect(repaired.code).toBe(0);
    expect(JSON.parse(repaired.stdout)).toMatchObject({ whole: true, repairs: ['header-rewritten'] });
    await file.write(Buffer.alloc(8, 0xff), 0, 8, 3 * MIB);
    await file.close();
    const broken = await vhd('check', 'disk.vhdx', '--json');
    expect(broken.code).toBe(2);
    expect(JSON.parse(broken.stdout)).toMatchObject({ whole: false });
    expect((await vhd('check', 'disk.vhdx', '--quiet')).stdout).toBe('');
    expect(await refusal('check', 'gone.vhdx')).toMatchObject({ exit: 1, code: 'ENOENT' });
  });
});

/** A source that takes far longer than the test: without perl nobody tells its holes, and they are read. */
async function longConversion(before = ''): Promise<{ child: ChildProcess; seen: () => string }> {
  await writeFile(join(folder, 'big.raw'), '');
  await truncate(join(folder, 'big.raw'), 2 ** 42);
  const command = `${before} PATH=/nowhere exec ${process.execPath} ${BIN} vhd convert --source-format raw big.raw out.vhdx`;
  const child = spawn('script', ['-qefc', command, '/dev/null'], {
    cwd: folder,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return { child, seen: () => text };
}

describe('at a terminal', () => {
  it('shows a bar as wide as it is, and Ctrl-C leaves nothing behind and 130', async () => {
    const { child, seen } = await longConversion('stty cols 70;');
    await expect
      .poll(seen, { timeout: 60_000 })
      .toMatch(/convert \[>? *\] +0% +4\.00 TiB +[\d.]+ [GM]iB\/s +[\d:-]+/);
    for (const line of seen().split('\r')) expect(line.replace('\u001B[K', '').length).toBeLessThan(70);
    expect(await names()).toHaveLength(3);
    child.stdin?.write('\u0003');
    const [code] = await once(child, 'exit');
    expect(code).toBe(130);
    expect(seen()).toMatch(/stopped by SIGINT/);
    expect(await names()).toEqual(['big.raw']);
  });

  it('is silent where there is none, and ends with 143 on SIGTERM', async () => {
    await writeFile(join(folder, 'big.raw'), '');
    await truncate(join(folder, 'big.raw'), 2 ** 42);
    const words = ['vhd', 'convert', '--source-format', 'raw', 'big.raw', 'out.vhdx', '--json'];
    const child = spawn(process.execPath, [BIN, ...words], {
      cwd: folder,
      env: { ...process.env, PATH: '/nowhere' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.push(child);
    const told = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk: Buffer) => (told.stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (told.stderr += chunk.toString()));
    await expect.poll(async () => (await names()).length, { timeout: 30_000 }).toBe(3);
    await sleep(500);
    expect(told).toEqual({ stdout: '', stderr: '' });
    child.kill('SIGTERM');
    const [code] = await once(child, 'close');
    expect(code).toBe(143);
    expect(JSON.parse(told.stdout)).toMatchObject({ error: { code: 'INTERRUPTED', exitCode: 143 } });
    expect(told.stderr).toMatch(/^nova-hyperv: stopped by SIGTERM; nothing half-made was left\n$/);
    expect(await names()).toEqual(['big.raw']);
  });
});
