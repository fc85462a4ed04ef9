import type { Socket } from 'node:net';
import { connect } from 'node:net';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { MIB } from '../bytes/integers.js';
import type { Disk } from '../disk.js';
import { openDisk } from '../open.js';
import { inTempFolder } from '../test-support/temp-folder.js';
import { createVhdx } from '../vhdx/create.js';
import { ByteStream } from './byte-stream.js';
import {
  Command,
  NBD_MAGIC,
  NbdError,
  Option,
  OPTION_MAGIC,
  OptionReply,
  REQUEST_MAGIC,
} from './protocol.js';
import type { NbdServer } from './server.js';
import { serveNbd } from './server.js';

/** A client that sends what a test wants, well formed or not. */
class TestClient {
  readonly #socket: Socket;
  readonly stream: ByteStream;

  constructor(socketPath: string) {
    this.#socket = connect(socketPath);
    this.stream = new ByteStream(this.#socket);
  }

  async greet(flags = 3): Promise<void> {
    const greeting = await this.stream.read(18);
    expect(greeting.readBigUInt64BE(0)).toBe(NBD_MAGIC);
    expect(greeting.readBigUInt64BE(8)).toBe(OPTION_MAGIC);
    const answer = Buffer.alloc(4);
    answer.writeUInt32BE(flags);
    await this.stream.write(answer);
  }

  async option(option: number, data: Buffer = Buffer.alloc(0), magic = OPTION_MAGIC): Promise<void> {
    const head = Buffer.alloc(16);
    head.writeBigUInt64BE(magic, 0);
    head.writeUInt32BE(option, 8);
    head.writeUInt32BE(data.length, 12);
    await this.stream.write(head, data);
  }

  async optionReply(): Promise<number> {
    const head = await this.stream.read(20);
    await this.stream.read(head.readUInt32BE(16));
    return head.readUInt32BE(12);
  }

  /** Chooses by the old way, so that replies are simple. */
  async chooseOld(name: string): Promise<bigint> {
    await this.greet();
    await this.option(Option.exportName, Buffer.from(name));
    return (await this.stream.read(10)).readBigUInt64BE(0);
  }

  async request(
    command: number,
    offset: number,
    length: number,
    data: Buffer = Buffer.alloc(0),
    magic = REQUEST_MAGIC,
  ): Promise<void> {
    const head = Buffer.alloc(28);
    head.writeUInt32BE(magic, 0);
    head.writeUInt16BE(command, 6);
    head.writeBigUInt64BE(BigInt(offset) + 77n, 8);
    head.writeBigUInt64BE(BigInt(offset), 16);
    head.writeUInt32BE(length, 24);
    await this.stream.write(head, data);
  }

  /** The error number of the next simple reply. */
  async error(): Promise<number> {
    return (await this.stream.read(16)).readUInt32BE(4);
  }

  close(): void {
    this.#socket.destroy();
  }
}

function withServer(
  test: (client: TestClient, server: NbdServer, disk: Disk) => Promise<void>,
): Promise<void> {
  return inTempFolder(async (folder) => {
    const file = path.join(folder, 'disk.vhdx');
    await createVhdx({ path: file, type: 'dynamic', virtualSize: 8 * MIB, blockSize: MIB });
    const disk = await openDisk(file);
    const server = await serveNbd({ socketPath: path.join(folder, 's') });
    server.addExport('disk', disk);
    server.addExport('locked', disk, { readOnly: true });
    const client = new TestClient(server.socketPath);
    try {
      await test(client, server, disk);
    } finally {
      client.close();
      await server.close();
      await disk.close();
    }
  });
}

describe('the negotiation', () => {
  it('answers unknown options, bad ones and unknown exports, and goes on', () =>
    withServer(async (client) => {
      await client.greet();
      await client.option(99);
      expect(await client.optionReply()).toBe(OptionReply.errorUnsupported);
      await client.option(Option.go, Buffer.from([0, 0, 0, 9, 1]));
      expect(await client.optionReply()).toBe(OptionReply.errorInvalid);
      await client.option(Option.go, Buffer.from([0, 0, 0, 1, 0x78, 0, 0]));
      expect(await client.optionReply()).toBe(OptionReply.errorUnknown);
      await client.option(Option.setMetaContext, Buffer.alloc(8));
      expect(await client.optionReply()).toBe(OptionReply.errorInvalid);
      await client.option(Option.abort);
      expect(await client.optionReply()).toBe(OptionReply.ack);
      await client.stream.closed;
    }));

  it.each([
    ['a wrong magic', (client: TestClient) => client.option(Option.list, Buffer.alloc(0), 1n)],
    ['an option of 1 MiB', (client: TestClient) => client.option(Option.list, Buffer.alloc(MIB))],
    [
      'an export by the old way that is not there',
      (client: TestClient) => client.option(Option.exportName, Buffer.from('x')),
    ],
  ])('hangs up on %s', (_what, send) =>
    withServer(async (client) => {
      await client.greet();
      await send(client).catch(() => undefined);
      await client.stream.closed;
    }),
  );

  it('fills the old reply with zeros for a client that wants them', () =>
    withServer(async (client) => {
      await client.greet(1);
      await client.option(Option.exportName, Buffer.from('disk'));
      const reply = await client.stream.read(134);
      expect(reply.readBigUInt64BE(0)).toBe(BigInt(8 * MIB));
      expect(reply.subarray(10).every((byte) => byte === 0)).toBe(true);
    }));
});

describe('the transmission', () => {
  it('refuses what does not fit and goes on', () =>
    withServer(async (client) => {
      expect(await client.chooseOld('disk')).toBe(BigInt(8 * MIB));
      await client.request(Command.read, 8 * MIB - 1, 2);
      expect(await client.error()).toBe(NbdError.invalid);
      await client.request(Command.read, 0, 33 * MIB);
      expect(await client.error()).toBe(NbdError.invalid);
      await client.request(Command.write, 8 * MIB - 1, 2, Buffer.from('ab'));
      expect(await client.error()).toBe(NbdError.noSpace);
      await client.request(Command.read, Number.MAX_SAFE_INTEGER, 512);
      expect(await client.error()).toBe(NbdError.invalid);
      await client.request(99, 0, 512);
      expect(await client.error()).toBe(NbdError.invalid);
      await client.request(Command.blockStatus, 0, 512);
      expect(await client.error()).toBe(NbdError.invalid);
      await client.request(Command.write, 5, 3, Buffer.from('abc'));
      expect(await client.error()).toBe(0);
      await client.request(Command.read, 4, 5);
      expect(await client.error()).toBe(0);
      expect((await client.stream.read(5)).toString('latin1')).toBe('\0abc\0');
    }));

  it('refuses changes of a read-only export', () =>
    withServer(async (client) => {
      await client.chooseOld('locked');
      for (const command of [Command.write, Command.trim, Command.writeZeroes]) {
        await client.request(command, 0, 3, command === Command.write ? Buffer.from('abc') : Buffer.alloc(0));
        expect(await client.error()).toBe(NbdError.permission);
      }
      await client.request(Command.flush, 0, 0);
      expect(await client.error()).toBe(0);
    }));

  it('serves what a disk grew by, to a client that was told the size of before too', () =>
    withServer(async (client, _server, disk) => {
      expect(await client.chooseOld('disk')).toBe(BigInt(8 * MIB));
      await client.request(Command.write, 9 * MIB, 3, Buffer.from('abc'));
      expect(await client.error()).toBe(NbdError.noSpace);
      await disk.resize(16 * MIB);
      await client.request(Command.write, 9 * MIB, 3, Buffer.from('abc'));
      expect(await client.error()).toBe(0);
      await client.request(Command.read, 9 * MIB, 3);
      expect(await client.error()).toBe(0);
      expect((await client.stream.read(3)).toString('latin1')).toBe('abc');
      await client.request(Command.read, 16 * MIB - 1, 2);
      expect(await client.error()).toBe(NbdError.invalid);
    }));

  it.each([
    ['a wrong magic', (client: TestClient) => client.request(Command.read, 0, 1, Buffer.alloc(0), 1)],
    ['a write of 33 MiB', (client: TestClient) => client.request(Command.write, 0, 33 * MIB)],
    ['a disconnect', (client: TestClient) => client.request(Command.disconnect, 0, 0)],
  ])('ends on %s', (_what, send) =>
    withServer(async (client, server) => {
      await client.chooseOld('disk');
      expect(server.connections('disk')).toBe(1);
      await send(client);
      await client.stream.closed;
      expect(server.connections('disk')).toBe(0);
    }),
  );

  it('serves many requests at once, and ends cleanly with some under way', () =>
    withServer(async (client, server) => {
      await client.chooseOld('disk');
      await Promise.all(Array.from({ length: 200 }, (_, index) => client.request(Command.read, index, MIB)));
      expect(await client.error()).toBe(0);
      await server.removeExport('disk');
      await client.stream.closed;
      expect(server.connections('disk')).toBe(0);
    }));
});
