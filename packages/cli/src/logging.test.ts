import { mkdtemp, readFile, rm } from 'node:fs/promises';
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
        msg: 'slow',
        host: 'hv1',
      }),
    ).toBe('2026-01-02 03:04:05.678 7 WARNING nova_hyperv.compute [req-1] slow host=hv1\n');
  });
});

describe('createLogger', () => {
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
