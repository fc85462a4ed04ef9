import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createLogger, formatLine } from './logging.js';

describe('formatLine', () => {
  it('is a line of oslo.log', () => {
    const time = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
    expect(
      formatLine({
        time,
        level: 40,
        pid: 7,
        component: 'compute',
        requestId: 'req-1',
        instance: 'a-b',
        msg: 'slow',
        host: 'hv1',
      }),
    ).toBe('2026-01-02 03:04:05.678 7 WARNING nova_hyperv.compute [req-1] [instance: a-b] slow host=hv1\n');
  });
});

describe('names that users choose', () => {
  it('make no lines of their own in the log and move no cursor', () => {
    const forged = 'vm\n2026-01-01 00:00:00.000 1 INFO nova_hyperv [-] all is well\u001B[2J\u2028';
    const line = formatLine({
      time: 0,
      level: 30,
      pid: 1,
      msg: forged,
      name2: forged,
      err: { stack: `Error: ${forged}` },
    });
    const lines = line.trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[0]).toContain(String.raw`vm\u000a2026`);
    for (const each of lines.slice(1)) expect(each).toMatch(/^ {2}/u);
    for (const character of ['\u001B', '\u2028']) expect(line).not.toContain(character);
  });
});

describe('createLogger', () => {
  it('makes a folder and a file that only the owner reads, and knows secrets by many names', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'nova-hyperv-log-'));
    try {
      const file = join(dir, 'log', 'x.log');
      const log = createLogger({ file }, true);
      const headers = { Authorization: 'hunter2', 'x-auth-token': 'hunter2', 'x-subject-token': 'hunter2' };
      const server = { adminPass: 'hunter2', user_data: 'hunter2', password: 'hunter2' };
      log.debug({ request: { headers, body: { server } }, keypair: { private_key: 'hunter2' } }, 'asked');
      let written = '';
      for (let i = 0; i < 100 && !written.includes('asked'); i++) {
        await setTimeout(10);
        written = await readFile(file, 'utf8').catch(() => '');
      }
      expect(written).toContain('asked');
      expect(written).not.toContain('hunter2');
      expect((await stat(file)).mode & 0o777).toBe(0o600);
      expect((await stat(join(dir, 'log'))).mode & 0o777).toBe(0o700);
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it('keeps secrets out of the file', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'nova-hyperv-log-'));
    try {
      const file = join(dir, 'x.log');
      const log = createLogger({ file }, false);
      log.info({ credentials: { username: 'u', password: 'hunter2' }, token: 'gAAAA' }, 'connecting');
      for (let i = 0; i < 100 && !(await readFile(file, 'utf8').catch(() => '')).includes('connecting'); i++)
        await setTimeout(10);
      const written = await readFile(file, 'utf8');
      expect(written).toContain('connecting');
      expect(written).not.toMatch(/hunter2|gAAAA/);
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});
