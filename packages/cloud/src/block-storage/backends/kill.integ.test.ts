import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { openDisk, openRaw } from '@nova-hyperv/vhd';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { FileVolumes } from './file-volumes.js';
import { DISK_FILES, type Step } from './testing/steps.js';
import { tempFolder } from './testing/temp-folder.js';

const GIB = 2 ** 30;
const ROUNDS = 3;
const SCRIPT = fileURLToPath(new URL('testing/churn.ts', import.meta.url));
const CONTENT = randomBytes(3 * 2 ** 20);
type Kind = keyof typeof DISK_FILES;

/** What is known of one volume or snapshot, as a database would have it. */
interface Known {
  readonly sizeGb: number;
  readonly isSnapshot: boolean;
  readonly isFilled: boolean;
}

class Journal {
  readonly known = new Map<string, Known>();
  steps = 0;

  /** A volume is known once it is made, as large as it was told to be, until its deletion begins. */
  note({ act, id, sizeGb, isDone }: Step & { readonly isDone: boolean }): void {
    const before = this.known.get(id);
    if (act === 'delete') this.known.delete(id);
    if (!isDone) return;
    this.steps += 1;
    if (act === 'grow' && before !== undefined) this.known.set(id, { ...before, sizeGb });
    if (act === 'add' || act === 'fill' || act === 'snapshot')
      this.known.set(id, { sizeGb, isSnapshot: act === 'snapshot', isFilled: act !== 'add' });
  }

  of(isSnapshot: boolean): readonly (Known & { readonly id: string })[] {
    return [...this.known]
      .filter(([, each]) => each.isSnapshot === isSnapshot)
      .map(([id, each]) => ({ id, ...each }));
  }
}

/** Lets the script work until it is killed at some moment, and notes what it said. */
async function churn(folder: string, kind: Kind, journal: Journal, round: number): Promise<void> {
  const child: ChildProcess = spawn(
    process.execPath,
    ['--import', 'tsx', '--conditions=source', SCRIPT, folder, kind, `${round * 100_000}`],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let said = '';
  const enough = new Promise<void>((resolve) => {
    // A step is two lines; counted, not timed, so that a busy machine gets as far.
    const lines = 2 + Math.floor(Math.random() * 30);
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.split('\n').length > lines) resolve();
    });
  });
  await enough;
  await sleep(Math.random() * 20);
  const gone = once(child, 'close');
  child.kill('SIGKILL');
  await gone;
  for (const line of said.split('\n').slice(0, -1)) journal.note(JSON.parse(line));
}

async function contentOf(
  kind: Kind,
  path: string,
): Promise<{ readonly size: number; readonly head: Buffer }> {
  const disk = await (kind === 'raw'
    ? openRaw(path, { readOnly: true })
    : openDisk(path, { readOnly: true }));
  const head = Buffer.alloc(CONTENT.length);
  await disk.read(head, 0);
  const size = disk.virtualSize;
  await disk.close();
  return { size, head };
}

describe.each(['vhdx', 'raw'] as const)(
  'a back end of %s files whose process is killed at random moments',
  (kind) => {
    it('has exactly what is known after the next start', async () => {
      await using folder = await tempFolder();
      await writeFile(join(folder.path, 'image'), CONTENT);
      await mkdir(join(folder.path, 'root'));
      const journal = new Journal();
      const volumes = new FileVolumes({
        root: join(folder.path, 'root'),
        disks: DISK_FILES[kind](),
        log: pino({ level: 'silent' }),
      });
      await volumes.start([], [], () => false);
      for (let round = 0; round < ROUNDS; round += 1) {
        await churn(folder.path, kind, journal, round);
        const snapshots = journal.of(true).map((each) => ({ ...each, volumeId: each.id }));
        await volumes.start(journal.of(false), snapshots, () => false);
        for (const [isSnapshot, place] of [
          [false, 'share'],
          [true, 'snapshots'],
        ] as const) {
          const path = join(folder.path, 'root', place);
          const known = journal.of(isSnapshot);
          // Flags of locks that the killed process held are swept away by whoever locks next.
          const found = (await readdir(path)).filter((name) => !name.includes('.lock-'));
          expect(found.toSorted()).toEqual(
            known.map(({ id }) => `${isSnapshot ? 'snapshot' : 'volume'}-${id}.${kind}`).toSorted(),
          );
          for (const { id, sizeGb, isFilled } of known) {
            const { size, head } = await contentOf(
              kind,
              isSnapshot ? volumes.files.snapshot(id) : volumes.files.volume(id),
            );
            expect(size).toBe(sizeGb * GIB);
            expect(head.equals(isFilled ? CONTENT : Buffer.alloc(CONTENT.length))).toBe(true);
          }
        }
        expect(await readdir(join(folder.path, 'root', 'work'))).toEqual([]);
      }
      expect(journal.steps).toBeGreaterThanOrEqual(ROUNDS);
      await rm(folder.path, { recursive: true, force: true });
    });
  },
);
