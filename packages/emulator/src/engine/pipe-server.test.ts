import { existsSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { PipeServer, checkPipeName } from './pipe-server.js';
import { socketAddress } from './socket-path.js';
import { PipeClient } from './testing/pipe-client.js';
import { temporaryFolders } from './testing/temp-folder.js';

describe('the pipe of a COM port', () => {
  const folder = temporaryFolders();
  const owned: { close(): unknown }[] = [];
  afterEach(async () => {
    for (const each of owned.splice(0)) await each.close();
  });

  function own<T extends { close(): unknown }>(value: T): T {
    owned.push(value);
    return value;
  }

  it('keeps the first output for the first client, then gives all the same', async () => {
    const file = path.join(await folder(), 'console');
    const pipe = own(await PipeServer.listen(file, () => undefined));
    pipe.output(Buffer.from('boot '));
    pipe.output(Buffer.from('messages '));
    const first = own(new PipeClient(file));
    await first.hear(/boot messages /);
    const second = own(new PipeClient(file));
    // Whatever the second one hears, it hears after it has connected.
    await second.send('here');
    pipe.output(Buffer.from('late'));
    await first.hear(/^boot messages late$/);
    await second.hear(/^late$/);
  });

  it('keeps 256 KiB at most, the first', async () => {
    const file = path.join(await folder(), 'console');
    const pipe = own(await PipeServer.listen(file, () => undefined));
    for (let index = 0; index < 5; index += 1) pipe.output(Buffer.alloc(100_000, 97 + index));
    const client = own(new PipeClient(file));
    await client.hear(/a{100000}b{100000}c{62144}/);
    pipe.output(Buffer.from('!'));
    await client.hear(/c!$/);
    expect(client.text).toHaveLength(256 * 1024 + 1);
  });

  it('takes input of every client', async () => {
    const file = path.join(await folder(), 'console');
    let input = '';
    const pipe = own(
      await PipeServer.listen(file, (chunk) => {
        input += chunk.toString();
        pipe.output(chunk);
      }),
    );
    const [first, second] = [own(new PipeClient(file)), own(new PipeClient(file))];
    await first.send('one');
    await first.hear(/one/);
    await second.send('two');
    await first.hear(/two/);
    expect(input).toBe('one\ntwo\n');
  });

  it('replaces a stale socket, and refuses a live one and what is no socket', async () => {
    const file = path.join(await folder(), 'console');
    const live = own(await PipeServer.listen(file, () => undefined));
    await expect(PipeServer.listen(file, () => undefined)).rejects.toMatchObject({ code: 'FAILED' });
    await live.close();
    expect(existsSync(file)).toBe(false);
    await writeFile(file, 'precious');
    await expect(PipeServer.listen(file, () => undefined)).rejects.toMatchObject({ code: 'FAILED' });
  });

  it('says good-bye to its clients with all that was written', async () => {
    const file = path.join(await folder(), 'console');
    const pipe = await PipeServer.listen(file, () => undefined);
    const client = own(new PipeClient(file));
    pipe.output(Buffer.alloc(200_000, 'x'));
    await client.hear(/x/);
    await pipe.close();
    await client.hear(/x{200000}/);
  });

  it('works in a folder whose path is too long for a socket', async () => {
    const deep = path.join(await folder(), 'd'.repeat(100));
    await mkdir(deep);
    const file = path.join(deep, 'console');
    const pipe = own(await PipeServer.listen(file, () => undefined));
    pipe.output(Buffer.from('deep'));
    const way = await socketAddress(file);
    const client = own(new PipeClient(way.address));
    await client.hear(/deep/);
    await way.release();
    await pipe.close();
    expect(existsSync(file)).toBe(false);
  });

  it.each(['', '.', '..', 'a/b', String.raw`a\b`, 'a\0b', 'x'.repeat(201)])('cannot be named %j', (name) => {
    expect(() => checkPipeName(name)).toThrow(expect.objectContaining({ code: 'FAILED' }));
  });

  it('finds nobody behind the socket of a process that was killed', async () => {
    const file = path.join(await folder(), 'console');
    // A socket file that is bound and not listened on: closing the handle alone leaves it.
    const dead = createServer();
    await new Promise<void>((resolve) => {
      dead.listen(file, resolve);
    });
    await rename(file, `${file}.kept`);
    await new Promise((resolve) => {
      dead.close(resolve);
    });
    await rename(`${file}.kept`, file);
    const pipe = own(await PipeServer.listen(file, () => undefined));
    pipe.output(Buffer.from('alive'));
    await own(new PipeClient(file)).hear(/alive/);
  });
});
