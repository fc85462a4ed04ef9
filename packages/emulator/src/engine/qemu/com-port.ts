import { truncate } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import path from 'node:path';
import { EngineError } from '../engine.js';
import { PipeServer, checkPipeName } from '../pipe-server.js';

/** QEMU's own log of the port, for looking into what went wrong; emptied when it has grown so. */
const LOG_LIMIT = 8 * 1024 * 1024;
const CONNECT_DEADLINE_MS = 5_000;

/** Where a COM port's QEMU side is and where its pipe shall be. */
export interface ComPortPlace {
  readonly socket: string;
  readonly logFile: string;
  readonly pipesFolder: string;
  readonly pipe: string;
}

/** Owns QEMU's end of a COM port, which takes one client only, and fans it out to the clients of the port's pipe. */
export class ComPort {
  readonly #socket: Socket;
  readonly #pipe: PipeServer;

  private constructor(socket: Socket, pipe: PipeServer, logFile: string) {
    this.#socket = socket;
    this.#pipe = pipe;
    let sinceCheck = 0;
    socket.on('data', (chunk: Buffer) => {
      pipe.output(chunk);
      sinceCheck += chunk.length;
      if (sinceCheck < LOG_LIMIT) return;
      sinceCheck = 0;
      // QEMU appends, so that its next write goes to the new end.
      truncate(logFile).catch(() => undefined);
    });
    socket.on('error', () => socket.destroy());
  }

  /** @throws EngineError FAILED when the pipe's name is bad or taken */
  static async open(place: ComPortPlace): Promise<ComPort> {
    const file = path.join(place.pipesFolder, checkPipeName(place.pipe));
    const holder: { socket?: Socket } = {};
    const pipe = await PipeServer.listen(file, (chunk) => holder.socket?.write(chunk));
    try {
      holder.socket = await connected(place.socket);
      return new ComPort(holder.socket, pipe, place.logFile);
    } catch (error) {
      await pipe.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#socket.destroy();
    await this.#pipe.close();
  }
}

function connected(file: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(file);
    const fail = (cause?: Error): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(new EngineError('FAILED', `QEMU does not answer on its serial port ${file}.`, { cause }));
    };
    const timer = setTimeout(fail, CONNECT_DEADLINE_MS);
    socket.once('error', fail);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', fail);
      resolve(socket);
    });
  });
}
