import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { pino } from 'pino';
import { createCloud } from '../../create-cloud.js';
import { TEST_ADMIN_PASSWORD } from '../../testing/test-cloud.js';
import { createBlockStorageService } from '../index.js';
import { FakeBackend } from './fake-backend.js';

/** A cloud with slow fake back ends in a process of its own, for tests that kill it: `serve-volumes.ts DIR`; prints its address when it listens. */
const [dir] = process.argv.slice(2);
if (dir === undefined) throw new Error('The folder is missing: serve-volumes.ts DIR');
const backends = ['smb', 'iscsi'].map((name) => new FakeBackend(join(dir, 'backends'), name));
for (const backend of backends) backend.before = () => setTimeout(Math.random() * 40);
const compute = { attachmentOf: async () => null, volumeExtended: async () => true };
const cloud = await createCloud({
  stateDir: join(dir, 'cloud'),
  listen: { address: '127.0.0.1', port: 0 },
  adminPassword: TEST_ADMIN_PASSWORD,
  log: pino({ level: process.env.TEST_LOG_LEVEL ?? 'silent' }, process.stderr),
  blockStorage: (kernel) => createBlockStorageService(kernel, { backends, hostname: 'machine', compute }),
});
await cloud.start();
process.stdout.write(`${cloud.url}\n`);
