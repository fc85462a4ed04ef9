import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../testing/eventually.js';
import { temporaryFolders } from '../testing/temp-folder.js';
import { SwitchFabric } from '../virtual-switch.js';
import { FrameDecoder, encodeFrame } from './frame-stream.js';
import { NicCable } from './nic-cable.js';

/** QEMU's side of an adapter: listens, and remembers the frames. */
class FakeAdapter {
  readonly received: Buffer[] = [];
  readonly #server: Server;
  #socket: Socket | undefined;

  constructor(file: string) {
    this.#server = createServer((socket) => {
      const frames = new FrameDecoder();
      this.#socket = socket;
      socket.on('error', () => socket.destroy());
      socket.on('data', (chunk: Buffer) => this.received.push(...frames.push(chunk)));
    }).listen(file);
  }

  get isConnected(): boolean {
    return this.#socket !== undefined && !this.#socket.destroyed;
  }

  send(frame: Buffer): void {
    this.#socket?.write(encodeFrame(frame));
  }

  close(): void {
    this.#socket?.destroy();
    this.#server.close();
  }
}

const HELLO = Buffer.concat([
  Buffer.alloc(6, 0xff),
  Buffer.from([2, 0, 0, 0, 0, 1, 8, 0]),
  Buffer.from('hello'),
]);

describe('the cable of a network adapter', () => {
  const folder = temporaryFolders();
  const owned: { close(): void }[] = [];
  afterEach(() => {
    for (const each of owned.splice(0)) each.close();
  });

  function own<T extends { close(): void }>(value: T): T {
    owned.push(value);
    return value;
  }

  it('carries frames while it is plugged, and comes back after QEMU was gone', async () => {
    const fabric = new SwitchFabric();
    const where = await folder();
    const [fileA, fileB] = [path.join(where, 'a'), path.join(where, 'b')];
    const a = own(new FakeAdapter(fileA));
    const firstB = new FakeAdapter(fileB);
    const [cableA, cableB] = [own(new NicCable(fileA, fabric)), own(new NicCable(fileB, fabric))];
    cableA.plug('s');
    cableB.plug('s');
    await eventually('both connected', () => a.isConnected && firstB.isConnected);
    a.send(HELLO);
    await eventually('the frame', () => firstB.received.length === 1);
    expect(firstB.received[0]).toEqual(HELLO);

    cableB.plug(null);
    a.send(HELLO);
    firstB.close();
    const b = own(new FakeAdapter(fileB));
    await eventually('connected again', () => b.isConnected);
    cableB.plug('s');
    a.send(HELLO);
    await eventually('the frame', () => b.received.length === 1);
    expect(firstB.received).toHaveLength(1);
  });

  it('lets no frame pass from another address than the adapter’s, until that is allowed', async () => {
    const fabric = new SwitchFabric();
    const file = path.join(await folder(), 'a');
    const adapter = own(new FakeAdapter(file));
    const cable = own(new NicCable(file, fabric));
    const seen: Buffer[] = [];
    cable.plug('s');
    fabric.plug('s', { deliver: (frame) => seen.push(frame) });
    cable.guard('02:00:00:00:00:02');
    await eventually('connected', () => adapter.isConnected);
    adapter.send(HELLO);
    const own2 = Buffer.from(HELLO);
    own2[11] = 2;
    adapter.send(own2);
    await eventually('its own frame', () => seen.length > 0);
    expect(seen).toEqual([own2]);
    cable.guard(null);
    adapter.send(HELLO);
    await eventually('the other frame', () => seen.length === 2);
  });
});
