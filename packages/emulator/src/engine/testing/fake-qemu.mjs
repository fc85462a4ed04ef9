// Stands in for QEMU in tests that are about the engine and not about guests: listens where it is told to and answers
// the control protocol. Behaviour by the machine's name: `dies` ends at once, `mute` never greets, `rejects-cont`.
import { createServer } from 'node:net';

const argv = process.argv.slice(2);
if (argv[0] === '-version') {
  process.stdout.write('QEMU emulator version 7.2.22 (fake)\n');
  process.exit(0);
}
if (argv[0] === '-machine') {
  process.stdout.write('pc-i440fx-7.2 Standard PC\npc-q35-7.2 Standard PC\n');
  process.exit(0);
}
const valuesOf = (name) => argv.filter((_, index) => argv[index - 1] === name);
const guest = /guest=([^,]*)/.exec(valuesOf('-name')[0])[1];
if (guest === 'dies') {
  process.stderr.write('qemu: cannot set up guest memory: Cannot allocate memory\n');
  process.exit(1);
}
const chardevs = new Map(
  valuesOf('-chardev').map((text) => [/id=([^,]*)/.exec(text)[1], /path=([^,]*)/.exec(text)[1]]),
);
const nodes = new Set(valuesOf('-blockdev').map((text) => JSON.parse(text)['node-name']));
const devices = new Set(valuesOf('-device').map((text) => JSON.parse(text).id));
const monitors = new Set();
let status = 'prelaunch';

const answers = {
  qmp_capabilities: () => ({}),
  'query-status': () => ({ status, running: status === 'running' }),
  'query-named-block-nodes': () => [...nodes].map((name) => ({ 'node-name': name })),
  'query-blockstats': () =>
    [...devices]
      .filter((id) => id.startsWith('d-'))
      .map((id) => ({
        qdev: `/machine/peripheral/${id}`,
        stats: {
          rd_bytes: 8192,
          wr_bytes: 4096,
          rd_operations: 2,
          wr_operations: 1,
          rd_total_time_ns: 2_000_000,
          wr_total_time_ns: 1_000_000,
          flush_total_time_ns: 500_000,
        },
      })),
  'qom-list': () => [...devices].map((name) => ({ name, type: 'child<x>' })),
  cont: () => {
    if (guest === 'rejects-cont') throw new Error('Guest cannot run');
    status = 'running';
    return {};
  },
  stop: () => {
    status = 'paused';
    return {};
  },
  quit: () => {
    setTimeout(() => process.exit(0), 10);
    return {};
  },
  system_powerdown: () => {
    setTimeout(() => {
      event('SHUTDOWN', { guest: true, reason: 'guest-shutdown' });
      setTimeout(() => process.exit(0), 20);
    }, 20);
    return {};
  },
  'blockdev-del': ({ 'node-name': node }) => {
    if (devices.has(node.replace(/^n-(.*)-\d+$/, 'd-$1'))) throw new Error(`Node '${node}' is busy: in use`);
    nodes.delete(node);
    return {};
  },
  'blockdev-add': ({ 'node-name': node }) => {
    nodes.add(node);
    return {};
  },
  device_add: ({ id }) => {
    if (id.endsWith('-63')) throw new Error('no such slot');
    devices.add(id);
    return {};
  },
  device_del: ({ id }) => {
    devices.delete(id);
    setTimeout(() => event('DEVICE_DELETED', { device: id, path: `/machine/peripheral/${id}` }), 5);
    return {};
  },
};

function event(name, data) {
  for (const socket of monitors) socket.write(`${JSON.stringify({ event: name, data })}\r\n`);
}

function monitor(socket) {
  monitors.add(socket);
  socket.on('close', () => monitors.delete(socket));
  if (guest !== 'mute') socket.write('{"QMP": {"version": {}, "capabilities": []}}\r\n');
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
    const lines = text.split('\n');
    text = lines.pop();
    for (const line of lines) answer(socket, JSON.parse(line));
  });
}

function answer(socket, { execute, arguments: args, id }) {
  try {
    socket.write(`${JSON.stringify({ return: (answers[execute] ?? (() => ({})))(args), id })}\r\n`);
  } catch (error) {
    socket.write(`${JSON.stringify({ error: { class: 'GenericError', desc: error.message }, id })}\r\n`);
  }
}

for (const [id, path] of chardevs) {
  createServer((socket) => {
    socket.on('error', () => socket.destroy());
    if (id === 'qmp') monitor(socket);
    else socket.on('data', (chunk) => socket.write(`${id} heard ${String(chunk)}`));
  }).listen(path);
}
for (const text of valuesOf('-netdev'))
  createServer((socket) => socket.resume()).listen(JSON.parse(text).addr.path);
