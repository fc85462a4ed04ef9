import { pino } from 'pino';
import { createCloud } from '../create-cloud.js';
import { TEST_ADMIN_PASSWORD } from './test-cloud.js';

/** A cloud in a process of its own, for tests that kill it: `serve.ts STATE_DIR`; prints its address when it listens. */
const [stateDir] = process.argv.slice(2);
if (stateDir === undefined) throw new Error('The state folder is missing: serve.ts STATE_DIR');
const cloud = await createCloud({
  stateDir,
  listen: { address: '127.0.0.1', port: 0 },
  adminPassword: TEST_ADMIN_PASSWORD,
  log: pino({ level: 'silent' }),
});
await cloud.start();
process.stdout.write(`${cloud.url}\n`);
