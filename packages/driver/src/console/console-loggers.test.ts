import { mkdir, mkdtemp, readFile, readdir, readlink, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import type { HostReach } from '@nova-hyperv/hyperv';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { capturedLog } from '../test-support/captured-log.js';
import type { LogLine } from '../test-support/captured-log.js';
import { CONSOLE_LOG_LIMIT, readConsoleLog } from './console-log.js';
import { ConsoleLoggers } from './console-loggers.js';

const A = { uuid: '2f1c0d3e-0000-4000-8000-00000000000a', name: 'instance-00000001' };
/** A name and a UUID that begin as the other's do. */
const B = { uuid: '2f1c0d3e-0000-4000-8000-00000000000b', name: 'instance-000000010' };

const expected = (letter: string) => Array.from({ length: 20 }, (_, at) => `${letter}${at} `).join('');

describe('console loggers', () => {
  let root: string;
  let loggers: ConsoleLoggers;
  let lines: readonly LogLine[];
  /** Pipes waiting to be opened, by name. */
  let pipes: Map<string, PassThrough[]>;

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'console-loggers-'));
    for (const { name } of [A, B]) await mkdir(join(root, name));
    pipes = new Map();
    const reach: HostReach = {
      pipesReachable: true,
      local: (path) => path,
      openPipe: (name) => Promise.resolve(pipes.get(name)?.shift()),
    };
    const captured = capturedLog();
    lines = captured.lines;
    loggers = new ConsoleLoggers({ reach, folderOf: ({ name }) => join(root, name), log: captured.log });
  });
  afterEach(async () => {
    await loggers.close();
    await rm(root, { recursive: true, force: true });
  });

  function offer({ uuid }: typeof A, pipe = new PassThrough()): PassThrough {
    const name = `${uuid}_rw`;
    pipes.set(name, [...(pipes.get(name) ?? []), pipe]);
    return pipe;
  }

  async function logOf({ name }: typeof A): Promise<string> {
    return Buffer.from((await readConsoleLog(join(root, name))) ?? []).toString();
  }

  /** Paths below the test's folder that this process has open. */
  async function openFiles(): Promise<readonly string[]> {
    const handles = await readdir('/proc/self/fd');
    const paths = await Promise.all(handles.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
    return paths.filter((path) => path.startsWith(root));
  }

  it('keep machines with similar names apart, over many connections', async () => {
    for (let number = 0; number < 20; number += 1) {
      offer(A).end(`a${number} `);
      offer(B).end(`b${number} `);
    }
    loggers.start(A);
    loggers.start(B);
    await expect.poll(() => logOf(A), { timeout: 5000 }).toBe(expected('a'));
    await expect.poll(() => logOf(B), { timeout: 5000 }).toBe(expected('b'));
  });

  it('bound what a guest that floods its console takes, and keep its last words', async () => {
    const pipe = offer(A);
    loggers.start(A);
    const chunk = Buffer.alloc(100_000, 'x');
    for (let sent = 0; sent < 3 * CONSOLE_LOG_LIMIT; sent += chunk.length) {
      if (!pipe.write(chunk)) await new Promise((resolve) => pipe.once('drain', resolve));
    }
    pipe.end('the end');
    await expect.poll(() => logOf(A), { timeout: 5000 }).toMatch(/x{100}the end$/);
    for (const name of ['console.log', 'console.log.1'])
      expect((await stat(join(root, A.name, name))).size).toBeLessThanOrEqual(CONSOLE_LOG_LIMIT);
    expect((await readFile(join(root, A.name, 'console.log'))).length).toBeGreaterThan(0);
  });

  it('have no file open once stopped, also while last words are still being read', async () => {
    offer(A).write('first ');
    loggers.start(A);
    await expect.poll(() => logOf(A)).toBe('first ');
    expect(await openFiles()).toHaveLength(1);
    // The guest keeps its pipe open after its end: without the stop, that is waited for.
    const finishing = loggers.finish(A.uuid);
    const begin = Date.now();
    await loggers.stop(A.uuid);
    expect(Date.now() - begin).toBeLessThan(1000);
    expect(await openFiles()).toEqual([]);
    await finishing;
  });

  it('do not write to one file at once when a machine is started while its end is read', async () => {
    const first = offer(A);
    first.write('first ');
    loggers.start(A);
    await expect.poll(() => logOf(A)).toBe('first ');
    const finishing = loggers.finish(A.uuid);
    offer(A).end('second');
    loggers.start(A);
    first.end('last words ');
    await finishing;
    await expect.poll(() => logOf(A)).toBe('first last words second');
  });

  it('tell once of a log that cannot be written', async () => {
    await rm(join(root, A.name), { recursive: true });
    for (let number = 0; number < 3; number += 1) offer(A).end('x');
    loggers.start(A);
    await expect.poll(() => pipes.get(`${A.uuid}_rw`)?.length, { timeout: 5000 }).toBe(0);
    expect(lines.map(({ msg }) => msg)).toEqual([expect.stringMatching(/cannot be written.*Check the room/)]);
  });
});
