import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { claimFolder, loadSettings, readRunning, saveSettings, stateFolder } from './state-folder.js';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'nova-hyperv-state-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

describe('claimFolder', () => {
  it('lets one process in, tells its URL and frees the folder', async () => {
    const state = stateFolder(root);
    const claim = await claimFolder(state);
    await claim.ready({ url: 'http://127.0.0.1:1', hosts: [] });
    expect(await readRunning(state)).toMatchObject({ pid: process.pid, url: 'http://127.0.0.1:1' });
    await expect(claimFolder(state)).rejects.toThrow(
      /already runs this state folder at http:\/\/127.0.0.1:1/,
    );
    await claim.release();
    await (await claimFolder(state)).release();
  });

  it('takes over from a process that died, even when its number was given to another', async () => {
    await writeFile(join(root, 'running.json'), JSON.stringify({ pid: process.pid, startTime: '1' }));
    const claim = await claimFolder(stateFolder(root));
    await claim.release();
  });

  it('takes over a marker that was cut short', async () => {
    await writeFile(join(root, 'running.json'), '{"pid":');
    const claim = await claimFolder(stateFolder(root));
    await claim.release();
  });
});

describe('settings', () => {
  it('are readable by their owner only, and come back', async () => {
    const state = stateFolder(root);
    expect(await loadSettings(state)).toBeUndefined();
    await saveSettings(state, { hosts: [] });
    expect(await loadSettings(state)).toEqual({ hosts: [] });
    expect((await stat(join(root, 'settings.json'))).mode & 0o777).toBe(0o600);
  });
  it('that cannot be read stop the start instead of being replaced', async () => {
    await writeFile(join(root, 'settings.json'), '{');
    await expect(loadSettings(stateFolder(root))).rejects.toThrow(/settings.json cannot be read/);
  });
});
