import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { temporaryFolders } from '../testing/temp-folder.js';
import { QmpClient } from './qmp.js';

interface Request {
  readonly execute: string;
  readonly id: number;
}

const GREETING = '{"QMP": {"version": {}, "capabilities": ["oob"]}}\r\n';

describe('the QMP client', () => {
  const folder = temporaryFolders();
  const closers: (() => void)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0)) close();
  });

  /** A server that greets and gives each command to `answer`. */
  async function serve(
    answer: (request: Request, socket: Socket) => void,
    greeting = GREETING,
  ): Promise<string> {
    const file = path.join(await folder(), 'qmp');
    const sockets: Socket[] = [];
    const server: Server = createServer((socket) => {
      sockets.push(socket);
      socket.write(greeting);
      socket.on('data', (chunk: Buffer) => {
        for (const line of chunk.toString().trim().split('\n')) {
          const request: Request = JSON.parse(line);
          if (request.execute === 'qmp_capabilities') socket.write(`{"return": {}, "id": ${request.id}}\r\n`);
          else answer(request, socket);
        }
      });
    });
    await new Promise<void>((resolve) => {
      server.listen(file, resolve);
    });
    closers.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return file;
  }

  async function connect(file: string): Promise<QmpClient> {
    const client = await QmpClient.connect(file, 2_000);
    closers.push(() => client.close());
    return client;
  }

  it('matches answers by id, whatever their order and however they are cut', async () => {
    const waiting: Request[] = [];
    const client = await connect(
      await serve((request, socket) => {
        waiting.unshift(request);
        if (waiting.length < 2) return;
        const text = waiting
          .map(({ id, execute }) => `${JSON.stringify({ return: { execute }, id })}\r\n`)
          .join('');
        socket.write(text.slice(0, 7));
        setTimeout(() => socket.write(text.slice(7)), 20);
      }),
    );
    const [first, second] = await Promise.all([
      client.execute('cont', undefined),
      client.execute('stop', undefined),
    ]);
    expect([first, second]).toEqual([{ execute: 'cont' }, { execute: 'stop' }]);
  });

  it('tells what QEMU refuses in its words', async () => {
    const client = await connect(
      await serve(({ id }, socket) =>
        socket.write(`${JSON.stringify({ error: { class: 'DeviceNotFound', desc: 'no d0' }, id })}\n`),
      ),
    );
    await expect(client.execute('device_del', { id: 'd0' })).rejects.toMatchObject({
      code: 'QMP_REFUSED',
      qmpClass: 'DeviceNotFound',
      message: 'device_del: no d0',
    });
  });

  it('gives up on an answer after the deadline, and passes over it when it comes late', async () => {
    const client = await connect(
      await serve(({ id, execute }, socket) => {
        setTimeout(() => socket.write(`{"return": {}, "id": ${id}}\n`), execute === 'stop' ? 60 : 0);
      }),
    );
    await expect(client.execute('stop', undefined, 20)).rejects.toMatchObject({ code: 'QMP_TIMEOUT' });
    await new Promise((resolve) => setTimeout(resolve, 80));
    await expect(client.execute('cont', undefined)).resolves.toEqual({});
  });

  it('fails what is under way when the connection ends', async () => {
    const client = await connect(await serve((_, socket) => socket.destroy()));
    const watch = client.watch(() => true, 5_000);
    await expect(client.execute('cont', undefined)).rejects.toMatchObject({ code: 'QMP_CLOSED' });
    await expect(watch.done).rejects.toMatchObject({ code: 'QMP_CLOSED' });
    await client.closed;
    await expect(client.execute('cont', undefined)).rejects.toMatchObject({ code: 'QMP_CLOSED' });
  });

  it('waits for the event that is meant, not for one like it', async () => {
    const client = await connect(
      await serve(({ id }, socket) => {
        socket.write(
          '{"event": "DEVICE_DELETED", "data": {"path": "/machine/peripheral/n/virtio-backend"}}\n',
        );
        socket.write(`{"return": {}, "id": ${id}}\n{"event": "DEVICE_DELETED", "data": {"device": "n"}}\n`);
      }),
    );
    const gone = client.watch(({ data }) => data['device'] === 'n', 2_000);
    await client.execute('device_del', { id: 'n' });
    await expect(gone.done).resolves.toEqual({ name: 'DEVICE_DELETED', data: { device: 'n' } });
    await expect(client.watch(() => true, 20).done).rejects.toMatchObject({ code: 'QMP_TIMEOUT' });
  });

  it('does not wait for ever for a greeting, nor talk to what is no QEMU', async () => {
    const mute = await serve(() => undefined, ' ');
    await expect(QmpClient.connect(mute, 50)).rejects.toMatchObject({ code: 'QMP_TIMEOUT' });
    const other = await serve(() => undefined, 'SSH-2.0\n');
    await expect(QmpClient.connect(other, 500)).rejects.toMatchObject({ code: 'QMP_CLOSED' });
    await expect(QmpClient.connect('/nowhere/qmp', 500)).rejects.toMatchObject({ code: 'QMP_CLOSED' });
  });
});
