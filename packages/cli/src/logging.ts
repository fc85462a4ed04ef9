import { createWriteStream, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { Writable } from 'node:stream';
import { pino, type Logger } from 'pino';
import { isRecord } from './json.js';

const LEVELS: Readonly<Record<number, string>> = {
  10: 'TRACE',
  20: 'DEBUG',
  30: 'INFO',
  40: 'WARNING',
  50: 'ERROR',
  60: 'CRITICAL',
};

/** Names under which a secret may travel; pino replaces their values wherever they stand. */
const SECRETS = [
  'password',
  'original_password',
  'adminPassword',
  'adminPass',
  'admin_pass',
  'token',
  'secret',
  'authorization',
  'Authorization',
  'user_data',
  'userData',
  'private_key',
  'privateKey',
  '["x-auth-token"]',
  '["x-subject-token"]',
];

const at = (parent: string, name: string): string =>
  name.startsWith('[') ? parent + name : `${parent}.${name}`;

/** Text that users chose (names of servers) must not make lines of its own, nor move a terminal's cursor. */
function oneLine(line: string): string {
  return line.replace(
    /[\p{Cc}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * One line as oslo.log writes it, which is what operators' tools read:
 * `2026-01-02 03:04:05.678 4711 INFO nova_hyperv.compute [req-…] [instance: …] text`. Times are UTC.
 */
export function formatLine(record: Readonly<Record<string, unknown>>): string {
  const { time, level, pid, name, component, requestId, instance, msg, err, ...rest } = record;
  const stamp = new Date(Number(time)).toISOString().replace('T', ' ').replace('Z', '');
  const logger = [text(name) || 'nova_hyperv', text(component)].filter(Boolean).join('.');
  const about = text(instance) === '' ? '' : `[instance: ${text(instance)}] `;
  const fields = Object.entries(rest)
    .filter(([key]) => key !== 'hostname')
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const words = [
    `${stamp} ${text(pid)} ${LEVELS[Number(level)] ?? 'INFO'} ${logger} [${text(requestId) || '-'}] ${about}${text(msg)}`,
    ...fields,
  ].join(' ');
  const line = oneLine(words);
  if (!isRecord(err)) return `${line}\n`;
  // The indentation tells an error's own lines, which quote what users gave, from the log's.
  const stack = (text(err['stack']) || text(err['message'])).split('\n').map((each) => `  ${oneLine(each)}`);
  return `${line}\n${stack.join('\n')}\n`;
}

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** A logger that appends to a file, or to standard error. Levels are oslo's `debug` option: off or on. */
export function createLogger(target: { file: string } | 'stderr', debug: boolean): Logger {
  const sink =
    target === 'stderr'
      ? process.stderr
      : (mkdirSync(dirname(target.file), { recursive: true, mode: 0o700 }),
        createWriteStream(target.file, { flags: 'a', mode: 0o600 }));
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      const record: unknown = JSON.parse(chunk.toString());
      if (isRecord(record)) sink.write(formatLine(record));
      done();
    },
  });
  const paths = SECRETS.flatMap((name) => [name, at('*', name), at('*.*', name), at('*.*.*', name)]);
  return pino(
    { level: debug ? 'debug' : 'info', base: { pid: process.pid }, redact: { paths, censor: '***' } },
    stream,
  );
}
