import type { Socket } from 'node:net';
import { connect } from 'node:net';
import type { QmpCommand, QmpCommands, QmpEvent } from './qmp-commands.js';

const COMMAND_DEADLINE_MS = 30_000;
/** query-named-block-nodes of a machine full of disks is some 100 KiB. */
const MAX_MESSAGE = 16 * 1024 * 1024;

export type QmpErrorCode =
  /** QEMU refused the command; `qmpClass` and the message are QEMU's. */
  | 'QMP_REFUSED'
  | 'QMP_TIMEOUT'
  /** The connection ended, or was none. */
  | 'QMP_CLOSED'
  | 'QMP_PROTOCOL';

export class QmpError extends Error {
  readonly code: QmpErrorCode;
  readonly qmpClass: string | undefined;
  constructor(code: QmpErrorCode, message: string, options: ErrorOptions & { qmpClass?: string } = {}) {
    super(message, options);
    this.name = 'QmpError';
    this.code = code;
    this.qmpClass = options.qmpClass;
  }
}

interface Pending {
  readonly command: string;
  readonly resolve: (answer: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

type Message = Readonly<Partial<Record<string, unknown>>>;

export interface QmpWatch {
  /** Settles with the event, or fails by QMP_TIMEOUT or QMP_CLOSED. */
  readonly done: Promise<QmpEvent>;
  /** Ends the watching; `done` then need not be waited for. */
  cancel(): void;
}

/** A connection to QEMU's machine protocol: newline-delimited JSON, answers matched by id, events in between. */
export class QmpClient {
  /** Settles when the connection has ended, for whatever reason. */
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  #nextId = 1;
  #chunks: Buffer[] = [];
  #bufferedBytes = 0;
  #onGreeting: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.#failPending(new QmpError('QMP_CLOSED', 'QEMU closed its control connection.'));
        resolve();
      });
    });
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
  }

  /**
   * Connects, waits for the greeting and leaves negotiation mode.
   * @throws QmpError QMP_CLOSED (nobody listens), QMP_TIMEOUT
   */
  static async connect(path: string, deadlineMs: number): Promise<QmpClient> {
    const until = Date.now() + deadlineMs;
    const socket = connect(path);
    const client = new QmpClient(socket);
    let timer: NodeJS.Timeout | undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        client.#onGreeting = resolve;
        timer = setTimeout(
          () => reject(new QmpError('QMP_TIMEOUT', 'QEMU did not greet in time.')),
          deadlineMs,
        );
        socket.once('error', (cause) => reject(new QmpError('QMP_CLOSED', cause.message, { cause })));
        socket.once('close', () => reject(new QmpError('QMP_CLOSED', 'QEMU closed its control connection.')));
      });
      await client.execute('qmp_capabilities', undefined, Math.max(1, until - Date.now()));
      return client;
    } catch (error) {
      client.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Settles with what QEMU returns, unchecked. @throws QmpError */
  execute<K extends QmpCommand>(
    command: K,
    args: QmpCommands[K],
    deadlineMs = COMMAND_DEADLINE_MS,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) {
        reject(new QmpError('QMP_CLOSED', `${command}: the control connection is closed.`));
        return;
      }
      const id = this.#nextId;
      this.#nextId += 1;
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new QmpError('QMP_TIMEOUT', `${command}: no answer from QEMU in ${deadlineMs} ms.`));
      }, deadlineMs);
      this.#pending.set(id, { command, resolve, reject, timer });
      this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    });
  }

  onEvent(listener: (event: QmpEvent) => void): void {
    this.#listeners.add(listener);
  }

  /**
   * Starts to watch for an event at once; call it before the command that causes the event.
   */
  watch(matches: (event: QmpEvent) => boolean, deadlineMs: number): QmpWatch {
    let stop: (() => void) | undefined;
    const done = new Promise<QmpEvent>((resolve, reject) => {
      const timer = setTimeout(() => {
        stop?.();
        reject(new QmpError('QMP_TIMEOUT', `QEMU did not tell in ${deadlineMs} ms what was waited for.`));
      }, deadlineMs);
      const listener = (event: QmpEvent): void => {
        if (!matches(event)) return;
        stop?.();
        resolve(event);
      };
      stop = () => {
        clearTimeout(timer);
        this.#listeners.delete(listener);
      };
      this.#listeners.add(listener);
      void this.closed.then(() => {
        stop?.();
        reject(new QmpError('QMP_CLOSED', 'QEMU closed its control connection.'));
      });
    });
    // Whoever cancels does not wait any more.
    done.catch(() => undefined);
    return { done, cancel: () => stop?.() };
  }

  close(): void {
    this.#socket.destroy();
  }

  #failPending(error: QmpError): void {
    for (const pending of this.#pending.values()) {
      clearTimeout(pending.timer);
      pending.reject(error);
    }
    this.#pending.clear();
  }

  #receive(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      this.#chunks.push(chunk.subarray(start, end));
      const line = Buffer.concat(this.#chunks).toString('utf8');
      this.#chunks = [];
      this.#bufferedBytes = 0;
      start = end + 1;
      if (line.trim() !== '') this.#message(line);
    }
    if (start === chunk.length) return;
    this.#chunks.push(chunk.subarray(start));
    this.#bufferedBytes += chunk.length - start;
    if (this.#bufferedBytes > MAX_MESSAGE) this.#socket.destroy();
  }

  #message(line: string): void {
    const message = parseObject(line);
    if (message === undefined) {
      this.#failPending(new QmpError('QMP_PROTOCOL', 'What listens there does not speak QMP.'));
      this.#socket.destroy();
      return;
    }
    if (message['QMP'] !== undefined) this.#onGreeting?.();
    else if (typeof message['event'] === 'string') this.#event(message['event'], objectOf(message['data']));
    else if (typeof message['id'] === 'number') this.#answer(message['id'], message);
  }

  #event(name: string, data: Message): void {
    for (const listener of this.#listeners) listener({ name, data });
  }

  #answer(id: number, message: Message): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    if (message['error'] === undefined) {
      pending.resolve(message['return']);
      return;
    }
    const { class: qmpClass, desc } = objectOf(message['error']);
    const text = `${pending.command}: ${typeof desc === 'string' ? desc : 'refused'}`;
    pending.reject(new QmpError('QMP_REFUSED', text, typeof qmpClass === 'string' ? { qmpClass } : {}));
  }
}

function parseObject(line: string): Message | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

function objectOf(value: unknown): Message {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
