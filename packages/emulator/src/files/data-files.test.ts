import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { CimReference, Found } from '@nova-hyperv/wsman';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CIMV2, reference } from '../cim.js';
import { buildMachine, power } from '../testing/machine-client.js';
import { first, startTestHost } from '../testing/test-host.js';
import type { TestHost } from '../testing/test-host.js';

let test: TestHost;

beforeEach(async () => {
  test = await startTestHost();
  mkdirSync(path.join(test.host.driveC, 'data', 'empty'), { recursive: true });
  writeFileSync(path.join(test.host.driveC, 'data', 'File.TXT'), 'text');
});

afterEach(async () => {
  await test.close();
});

async function query(wql: string): Promise<readonly Found[]> {
  return await test.client.query(CIMV2, wql);
}

function file(name: string): CimReference {
  return reference(CIMV2, 'CIM_DataFile', { Name: name });
}

async function method(
  target: CimReference,
  name: string,
  parameters: Readonly<Record<string, string>> = {},
): Promise<number> {
  return (await test.client.invoke(target, name, parameters)).returnValue;
}

describe('CIM_DataFile and Win32_Directory', () => {
  it('a file is found by its name in any case', async () => {
    const found = first(
      await query(String.raw`SELECT * FROM CIM_DataFile WHERE Name = 'C:\\DATA\\file.txt'`),
    );
    expect(found.instance.properties).toMatchObject({
      Drive: 'c:',
      Path: '\\data\\',
      FileName: 'file',
      Extension: 'txt',
      FileSize: 4n,
    });
  });

  it('a folder is listed by Drive and Path', async () => {
    expect(
      await query(String.raw`SELECT Name FROM CIM_DataFile WHERE Drive = 'c:' AND Path = '\\data\\'`),
    ).toHaveLength(1);
    expect(
      await query(String.raw`SELECT Name FROM Win32_Directory WHERE Drive = 'c:' AND Path = '\\data\\'`),
    ).toHaveLength(1);
  });

  it('what is not there, or is no path, is no row', async () => {
    expect(await query(String.raw`SELECT * FROM CIM_DataFile WHERE Name = 'C:\\none'`)).toHaveLength(0);
    expect(
      await query(String.raw`SELECT * FROM CIM_DataFile WHERE Name = 'C:\\..\\..\\etc\\passwd'`),
    ).toHaveLength(0);
  });

  it('links are not followed', async () => {
    symlinkSync('/etc', path.join(test.host.driveC, 'data', 'link'));
    expect(await query(String.raw`SELECT * FROM Win32_Directory WHERE Name = 'C:\\data\\link'`)).toHaveLength(
      0,
    );
  });

  it('copies, renames and deletes with the documented codes', async () => {
    const source = file(String.raw`C:\data\file.txt`);
    expect(await method(source, 'Copy', { FileName: String.raw`C:\data\copy.txt` })).toBe(0);
    expect(await method(source, 'Copy', { FileName: String.raw`C:\data\copy.txt` })).toBe(10);
    expect(await method(source, 'Copy', { FileName: 'copy.txt' })).toBe(21);
    expect(await method(source, 'Rename', { FileName: String.raw`D:\copy.txt` })).toBe(13);
    expect(await method(source, 'Rename', { FileName: String.raw`C:\data\moved.txt` })).toBe(0);
    expect(await method(file(String.raw`C:\data\moved.txt`), 'Delete')).toBe(0);
    expect(existsSync(path.join(test.host.driveC, 'data', 'moved.txt'))).toBe(false);
    const folder = reference(CIMV2, 'Win32_Directory', { Name: String.raw`C:\data` });
    expect(await method(folder, 'Delete')).toBe(14);
    expect(
      await method(reference(CIMV2, 'Win32_Directory', { Name: String.raw`C:\data\empty` }), 'Delete'),
    ).toBe(0);
  });

  it('a file of a running machine is a sharing violation', async () => {
    const { id } = await buildMachine(test, 'vm');
    await power(test, id, 2);
    expect(await method(file(String.raw`C:\vms\vm.vhdx`), 'Delete')).toBe(15);
    await power(test, id, 3);
    expect(await method(file(String.raw`C:\vms\vm.vhdx`), 'Delete')).toBe(0);
  });

  it('programs are not run', async () => {
    expect(await method(reference(CIMV2, 'Win32_Process', {}), 'Create', { CommandLine: 'cmd.exe' })).toBe(8);
  });
});
