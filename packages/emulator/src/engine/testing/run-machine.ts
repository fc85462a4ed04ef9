// A process of its own that starts a machine and is then killed: `run-machine.ts STATE_DIR CONFIG_JSON`.
import { pino } from 'pino';
import type { MachineConfig } from '../engine.js';
import { createQemuEngine } from '../qemu/engine.js';

const [stateDir = '', json = ''] = process.argv.slice(2);
const config: MachineConfig = JSON.parse(json);
const engine = await createQemuEngine({ stateDir, log: pino({ level: 'warn' }, pino.destination(2)) });
await engine.adopt([]);
await engine.start(config);
process.stdout.write(`${JSON.stringify({ pipes: engine.pipes })}\n`);
setInterval(() => undefined, 60_000);
