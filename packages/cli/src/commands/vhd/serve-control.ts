import { once } from 'node:events';
import { chmod } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import type { Disk } from '@nova-hyperv/vhd';
import { CliError, EXIT, errorDocument, type ErrorDocument } from '../../errors.js';
import { errorCode, isRecord } from '../../json.js';
import { applySizeChange, type SizeChange } from './options/size.js';

const MAX_LINE = 4096;
const CLIENT_DEADLINE_MS = 10_000;
/** Growing a disk moves its tables at most; a minute means that something is very wrong. */
const ANSWER_DEADLINE_MS = 60_000;

/** Where the process that serves a disk takes orders. */
export function controlSocketOf(socket: string): string {
  return `${socket}.control`;
}

interface Resized {
  readonly previousSize: number;
  readonly virtualSize: number;
}

export interface ControlServer {
  /** Lets an order under way end, and removes the socket. */
  close(): Promise<void>;
}

/**
 * Takes orders for a disk that is served: one line of JSON each way. The only one is to grow it. Whoever may use the
 * disk's own socket may use this: both are the owner's alone.
 */
export async function startControl(socket: string, disk: Disk): Promise<ControlServer> {
  const file = controlSocketOf(socket);
  const running = new Set<Promise<void>>();
  const silent = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (client) => {
    const work = answer(client, disk, silent).finally(() => running.delete(work));
    running.add(work);
  });
  server.listen({ path: file });
  await once(server, 'listening');
  await chmod(file, 0o600);
  return {
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const client of silent) client.destroy();
      await Promise.all(running);
      await closed;
    },
  };
}

/** @param silent holds the client until its order is there. */
async function answer(client: Socket, disk: Disk, silent: Set<Socket>): Promise<void> {
  client.on('error', () => undefined);
  let reply: Resized | ErrorDocument;
  try {
    silent.add(client);
    const line = await readLine(client, CLIENT_DEADLINE_MS).finally(() => silent.delete(client));
    reply = await obey(JSON.parse(line), disk);
  } catch (error) {
    reply = errorDocument(error);
  }
  // An answer that nobody takes is nobody's loss.
  if (client.destroyed) return;
  await new Promise<void>((resolve) => {
    client.once('close', () => resolve());
    client.end(`${JSON.stringify(reply)}\n`, () => resolve());
  });
  client.destroy();
}

async function obey(order: unknown, disk: Disk): Promise<Resized> {
  const change = isRecord(order) ? order['resize'] : undefined;
  if (!isSizeChange(change)) throw new CliError('not an order that is known', EXIT.usage);
  const previousSize = disk.virtualSize;
  const wanted = applySizeChange(change, previousSize);
  if (wanted < previousSize)
    throw new CliError(`a disk that is served only grows; it has ${previousSize} bytes`);
  await disk.resize(wanted);
  await disk.flush();
  return { previousSize, virtualSize: disk.virtualSize };
}

function isSizeChange(value: unknown): value is SizeChange {
  return (
    isRecord(value) &&
    (value['kind'] === 'to' || value['kind'] === 'by') &&
    Number.isSafeInteger(value['bytes']) &&
    Number(value['bytes']) >= 0
  );
}

function readLine(socket: Socket, deadlineMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const timer = setTimeout(() => reject(new CliError('no answer came')), deadlineMs);
    const finish = (error?: Error): void => {
      clearTimeout(timer);
      if (error === undefined) resolve(text);
      else reject(error);
    };
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      text += chunk;
      if (text.includes('\n')) finish();
      else if (text.length > MAX_LINE) finish(new CliError('the line is too long'));
    });
    socket.on('error', finish);
    // Nothing happens when the line was whole.
    for (const end of ['end', 'close'])
      socket.on(end, () => finish(new CliError('the connection was closed')));
  });
}

/** Asks the process that serves a disk at `socket` to grow it. @throws CliError with its reason when it does not. */
export async function growServed(socket: string, change: SizeChange): Promise<Resized> {
  const client = connect(controlSocketOf(socket));
  try {
    const line = readLine(client, ANSWER_DEADLINE_MS);
    client.write(`${JSON.stringify({ resize: change })}\n`);
    const reply: unknown = JSON.parse(await line);
    if (
      isRecord(reply) &&
      typeof reply['virtualSize'] === 'number' &&
      typeof reply['previousSize'] === 'number'
    )
      return { previousSize: reply['previousSize'], virtualSize: reply['virtualSize'] };
    const error = isRecord(reply) && isRecord(reply['error']) ? reply['error'] : {};
    const { message } = error;
    throw new CliError(typeof message === 'string' ? message : 'the answer makes no sense');
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ECONNREFUSED')
      throw new CliError(`${socket}: nothing serves a disk there`, EXIT.unavailable, { cause: error });
    throw error;
  } finally {
    client.destroy();
  }
}
