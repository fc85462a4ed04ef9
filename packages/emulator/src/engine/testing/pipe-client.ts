import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from './eventually.js';

/** A client of a COM port's pipe that remembers what it heard. */
export class PipeClient {
  text = '';
  isClosed = false;
  readonly #socket: Socket;

  constructor(file: string) {
    this.#socket = connect(file);
    this.#socket.on('data', (chunk: Buffer) => {
      this.text += chunk.toString('latin1').replaceAll('\r', '');
    });
    this.#socket.on('error', () => this.#socket.destroy());
    this.#socket.on('close', () => {
      this.isClosed = true;
    });
  }

  async hear(pattern: RegExp, deadlineMs = 5_000): Promise<string> {
    const last = (): string => this.text.slice(-1_500);
    await eventually(`${pattern}`, () => pattern.test(this.text), deadlineMs).catch((error: unknown) => {
      throw new Error(`${String(error)}; heard last: ${last()}`);
    });
    return pattern.exec(this.text)?.[0] ?? '';
  }

  /** In pieces of what a UART's buffer holds: a busy guest would lose the rest. */
  async send(line: string): Promise<void> {
    const text = `${line}\n`;
    for (let from = 0; from < text.length; from += 16) {
      this.#socket.write(text.slice(from, from + 16));
      await sleep(5);
    }
  }

  /** Gives a demo guest a command and returns what it said to it. */
  async command(line: string, deadlineMs = 60_000): Promise<string> {
    this.text = '';
    await this.send(line);
    await this.hear(/^HVG done cmd=\S* rc=\d+\n/m, deadlineMs);
    return this.text;
  }

  close(): void {
    this.#socket.destroy();
  }
}
