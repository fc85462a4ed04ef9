import { describe, expect, it } from 'vitest';
import { MIB } from '../bytes/integers.js';
import { MemoryFile } from '../test-support/memory-file.js';
import { UnpublishedFile } from './unpublished-file.js';

class FailingFile extends MemoryFile {
  override sync(): Promise<void> {
    return Promise.reject(new Error('EIO'));
  }
}

async function fill(file: UnpublishedFile): Promise<void> {
  const bytes = Buffer.alloc(MIB);
  for (let at = 0; at < 70 * MIB; at += MIB) await file.write(bytes, at);
}

describe('a file that is not yet published', () => {
  it('is synced while it grows, not when it is asked to', async () => {
    const below = new MemoryFile();
    const file = new UnpublishedFile(below);
    await file.write(Buffer.alloc(512), 0);
    await file.sync();
    expect(below.operations.some(({ kind }) => kind === 'sync')).toBe(false);
    await fill(file);
    await file.close();
    expect(below.operations.filter(({ kind }) => kind === 'sync')).toHaveLength(2);
    expect(below.isClosed).toBe(false);
  });

  it('does not forget that the device failed', async () => {
    const file = new UnpublishedFile(new FailingFile());
    await fill(file);
    await expect(file.close()).rejects.toThrow('EIO');
  });
});
