// Works on volumes without end, and says of each step that it begins and that it is done:  churn.ts FOLDER vhdx|raw FIRST_NUMBER
// A test kills it and looks at what is there.
import { writeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { FileVolumes } from '../file-volumes.js';
import { DISK_FILES, type Step, volumeId } from './steps.js';

const [folder = '', kind = '', first = '0'] = process.argv.slice(2);
const volumes = new FileVolumes({
  root: join(folder, 'root'),
  disks: DISK_FILES[kind === 'raw' ? 'raw' : 'vhdx'](),
  log: pino({ level: 'silent' }),
});
const image = { path: join(folder, 'image'), diskFormat: 'raw' };

async function step(what: Step, work: () => Promise<void>): Promise<void> {
  // At once: what was said before a kill was said.
  writeSync(1, `${JSON.stringify({ ...what, isDone: false })}\n`);
  await work();
  writeSync(1, `${JSON.stringify({ ...what, isDone: true })}\n`);
}

for (let number = Number(first); ; number += 10) {
  const [blank, filled, clone] = [volumeId(number), volumeId(number + 1), volumeId(number + 2)];
  const [restored, snap] = [volumeId(number + 3), volumeId(number + 4)];
  const snapshot = { id: snap, volumeId: filled, sizeGb: 1 };
  const copy = join(folder, `copy-${number}`);
  await step({ act: 'add', id: blank, sizeGb: 1 }, () => volumes.create({ id: blank, sizeGb: 1 }));
  await step({ act: 'fill', id: filled, sizeGb: 1 }, () =>
    volumes.createFromImage({ id: filled, sizeGb: 1 }, image),
  );
  await step({ act: 'grow', id: filled, sizeGb: 3 }, () => volumes.extend({ id: filled, sizeGb: 1 }, 3));
  await step({ act: 'fill', id: clone, sizeGb: 4 }, () =>
    volumes.clone({ id: clone, sizeGb: 4 }, { id: filled, sizeGb: 3 }),
  );
  await step({ act: 'snapshot', id: snap, sizeGb: 3 }, () =>
    volumes.createSnapshot({ ...snapshot, sizeGb: 3 }),
  );
  await step({ act: 'fill', id: restored, sizeGb: 3 }, () =>
    volumes.createFromSnapshot({ id: restored, sizeGb: 3 }, snapshot),
  );
  await step({ act: 'copy', id: restored, sizeGb: 3 }, () =>
    volumes.copyToFile({ id: restored, sizeGb: 3 }, copy, 'vhdx'),
  );
  await rm(copy);
  await step({ act: 'delete', id: blank, sizeGb: 1 }, () => volumes.delete(blank));
  await step({ act: 'grow', id: clone, sizeGb: 5 }, () => volumes.extend({ id: clone, sizeGb: 4 }, 5));
  await step({ act: 'delete', id: restored, sizeGb: 3 }, () => volumes.delete(restored));
}
