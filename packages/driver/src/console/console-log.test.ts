import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConsoleLogWriter, readConsoleLog } from './console-log.js';

describe('console log', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'console-log-'));
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  it('keeps one older file and gives older bytes first, across restarts', async () => {
    const text = Array.from({ length: 40 }, (_, index) => `line ${index}\n`).join('');
    for (const part of [text.slice(0, 100), text.slice(100)]) {
      const writer = new ConsoleLogWriter(folder, 128);
      await writer.append(Buffer.from(part));
      await writer.close();
    }
    const log = Buffer.from((await readConsoleLog(folder)) ?? []).toString();
    expect(text.endsWith(log)).toBe(true);
    expect(log.length).toBeGreaterThanOrEqual(128);
    expect((await stat(join(folder, 'console.log.1'))).size).toBe(128);
    expect(await readFile(join(folder, 'console.log'), 'utf8')).toBe(log.slice(128));
  });

  it('says when there is none, and never makes the folder', async () => {
    expect(await readConsoleLog(folder)).toBeUndefined();
    await rm(folder, { recursive: true });
    await expect(new ConsoleLogWriter(folder).append(Buffer.from('x'))).rejects.toThrow(/ENOENT/);
    await expect(stat(folder)).rejects.toThrow(/ENOENT/);
    await (await import('node:fs/promises')).mkdir(folder);
  });
});
