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
const SECRETS = ['password', 'adminPassword', 'token', 'secret', 'adminPass', 'authorization'];

/**
 * One line as oslo.log writes it, which is what operators' tools read:
 * `2026-01-02 03:04:05.678 4711 INFO nova_hyperv.compute [req-…] text`.
 */
export function formatLine(record: Readonly<Record<string, unknown>>): string {
  const { time, level, pid, name, component, requestId, msg, err, ...rest } = record;
  const stamp = new Date(Number(time)).toISOString().replace('T', ' ').replace('Z', '');
  const logger = [text(name) || 'nova_hyperv', text(component)].filter(Boolean).join('.');
  const fields = Object.entries(rest)
    .filter(([key]) => key !== 'hostname')
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const line = [
    `${stamp} ${text(pid)} ${LEVELS[Number(level)] ?? 'INFO'} ${logger} [${text(requestId) || '-'}] ${text(msg)}`,
    ...fields,
  ].join(' ');
  return isRecord(err) ? `${line}\n${text(err['stack']) || text(err['message'])}\n` : `${line}\n`;
}

function text(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** A logger that appends to a file, or to standard error. Levels are oslo's `debug` option: off or on. */
export function createLogger(target: { file: string } | 'stderr', debug: boolean): Logger {
  const sink =
    target === 'stderr'
      ? process.stderr
      : (mkdirSync(dirname(target.file), { recursive: true }),
        createWriteStream(target.file, { flags: 'a', mode: 0o640 }));
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      const record: unknown = JSON.parse(chunk.toString());
      if (isRecord(record)) sink.write(formatLine(record));
      done();
    },
  });
  const paths = SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);
  return pino(
    { level: debug ? 'debug' : 'info', base: { pid: process.pid }, redact: { paths, censor: '***' } },
    stream,
  );
}
