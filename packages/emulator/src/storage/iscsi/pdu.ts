import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { IscsiError } from './status.js';

/** Basic header segment, bytes (RFC 7143, 11.2.1). */
export const HEADER_BYTES = 48;
/** Longest data segment that is taken: we ask for 64 KiB at most. */
const MOST_DATA_BYTES = 1 << 20;

export interface Pdu {
  readonly header: Buffer;
  readonly data: Buffer;
}

/** One TCP connection to a portal: writes PDUs and reads them one after another, each within a time limit. */
export class PduSocket {
  readonly #socket: Socket;
  readonly #where: string;
  readonly #timeoutMs: number;
  #received: Buffer = Buffer.alloc(0);
  #failure: IscsiError | undefined;
  #wake: (() => void) | undefined;

  private constructor(socket: Socket, where: string, timeoutMs: number) {
    this.#socket = socket;
    this.#where = where;
    this.#timeoutMs = timeoutMs;
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake?.();
    });
    socket.on('error', (error) => this.#fail(error.message));
    socket.on('close', () => this.#fail('the connection was closed'));
  }

  /** @throws IscsiError connectionFailed */
  static async connect(address: string, port: number, timeoutMs: number): Promise<PduSocket> {
    const where = `${address}:${port}`;
    return await new Promise((resolve, reject) => {
      const socket = connect({ host: address, port });
      const fail = (why: string): void => {
        socket.destroy();
        reject(new IscsiError('connectionFailed', `${where}: ${why}`));
      };
      const onError = (error: Error): void => fail(error.message);
      socket.setTimeout(timeoutMs, () => fail('no answer'));
      socket.once('error', onError);
      socket.once('connect', () => {
        socket.setTimeout(0);
        socket.off('error', onError);
        socket.setNoDelay(true);
        resolve(new PduSocket(socket, where, timeoutMs));
      });
    });
  }

  write(header: Buffer, data: Buffer = Buffer.alloc(0)): void {
    header.writeUIntBE(data.length, 5, 3);
    const padding = Buffer.alloc((4 - (data.length % 4)) % 4);
    this.#socket.write(Buffer.concat([header, data, padding]));
  }

  /** The next PDU. @throws IscsiError connectionFailed; targetError for one that is too long */
  async read(): Promise<Pdu> {
    const header = await this.#take(HEADER_BYTES);
    const ahsBytes = header.readUInt8(4) * 4;
    const length = header.readUIntBE(5, 3);
    if (length > MOST_DATA_BYTES) throw new IscsiError('targetError', `${this.#where}: a PDU is too long`);
    const rest = await this.#take(ahsBytes + Math.ceil(length / 4) * 4);
    return { header, data: rest.subarray(ahsBytes, ahsBytes + length) };
  }

  close(): void {
    this.#socket.destroy();
  }

  async #take(bytes: number): Promise<Buffer> {
    const deadline = Date.now() + this.#timeoutMs;
    while (this.#received.length < bytes) {
      if (this.#failure !== undefined) throw this.#failure;
      const left = deadline - Date.now();
      if (left <= 0) throw new IscsiError('connectionFailed', `${this.#where}: no answer`);
      await this.#more(left);
    }
    const taken = this.#received.subarray(0, bytes);
    this.#received = this.#received.subarray(bytes);
    return taken;
  }

  async #more(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }

  #fail(why: string): void {
    this.#failure ??= new IscsiError('connectionFailed', `${this.#where}: ${why}`);
    this.#wake?.();
  }
}
