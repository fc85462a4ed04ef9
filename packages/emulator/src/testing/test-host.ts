import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import { basicAuth, createWsmanClient, isCimInstance, isCimReference } from '@nova-hyperv/wsman';
import type { CimInstance, CimReference, CimValue, InvokeResult, WsmanClient } from '@nova-hyperv/wsman';
import { V2, listOf, numberOf, reference, textOf, v2 } from '../cim.js';
import type { ServedHost, ServeOptions } from '../serve-host.js';
import { serveHost } from '../serve-host.js';
import { FakeEngine } from './fake-engine.js';

/** A host, and a client to it. */
export interface HostUnderTest {
  readonly host: ServedHost;
  readonly client: WsmanClient;
}

/** A host on a free port with a fake engine, and a client to it. */
export interface TestHost extends HostUnderTest {
  readonly engine: FakeEngine;
  readonly stateDir: string;
  /** Stops the host without removing its folder; {@link TestHost.close} removes it. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

export const CREDENTIALS = { username: 'Administrator', password: 'a-test-password' };

export async function startTestHost(
  options: Partial<ServeOptions> = {},
  engine = new FakeEngine(),
): Promise<TestHost> {
  const stateDir = options.stateDir ?? mkdtempSync(path.join(tmpdir(), 'emulated-host-'));
  const started = serveHost({
    name: 'HV01',
    release: '2022',
    stateDir,
    engine: 'none',
    credentials: CREDENTIALS,
    memoryMb: 65_536,
    createEngine: () => Promise.resolve(engine),
    pace: () => Promise.resolve(),
    log: pino({ level: 'silent' }),
    ...options,
  });
  const host = await started.catch((error: unknown) => {
    if (options.stateDir === undefined) rmSync(stateDir, { recursive: true, force: true });
    throw error;
  });
  const client = connectTo(host);
  const stop = async (): Promise<void> => {
    await client.close();
    await host.stop('keep');
  };
  return {
    host,
    engine,
    client,
    stateDir,
    stop,
    close: async () => {
      await stop();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

export function connectTo(host: ServedHost): WsmanClient {
  const { username, password } = CREDENTIALS;
  return createWsmanClient({ url: host.url, auth: basicAuth({ user: username, password }) });
}

export const MANAGEMENT: CimReference = reference(V2, 'Msvm_VirtualSystemManagementService', {
  CreationClassName: 'Msvm_VirtualSystemManagementService',
});

export const IMAGES: CimReference = reference(V2, 'Msvm_ImageManagementService', {
  CreationClassName: 'Msvm_ImageManagementService',
});

/** The references in an out parameter. */
export function referencesOf(value: CimValue | undefined): readonly CimReference[] {
  return listOf(value).filter((one) => isCimReference(one));
}

export function instancesOf(value: CimValue | undefined): readonly CimInstance[] {
  return listOf(value).filter((one) => isCimInstance(one));
}

/** The first of a list, which must have one. */
export function first<T>(list: readonly T[]): T {
  const [one] = list;
  if (one === undefined) throw new Error('The list is empty');
  return one;
}

/** How a method ended, its job included. */
export interface Outcome {
  readonly returnValue: number;
  readonly out: InvokeResult['out'];
  /** The job at its end; undefined when there was none. */
  readonly job: CimInstance | undefined;
}

/** Calls a method and waits for its job. */
export async function call(
  client: WsmanClient,
  target: CimReference,
  method: string,
  parameters: Readonly<Record<string, CimValue>>,
): Promise<Outcome> {
  const { returnValue, out } = await client.invoke(target, method, parameters);
  const job = out['Job'];
  if (returnValue !== 4096 || !isCimReference(job)) return { returnValue, out, job: undefined };
  return { returnValue, out, job: await finishedJob(client, job) };
}

export async function finishedJob(client: WsmanClient, job: CimReference): Promise<CimInstance> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const found = await client.get(job);
    if (Number(found.properties['JobState']) >= 7) return found;
    if (Date.now() > deadline)
      throw new Error(`The job did not end: ${JSON.stringify(found.properties['JobState'])}`);
  }
}

/** {@link call} that must succeed. */
export async function succeed(
  client: WsmanClient,
  target: CimReference,
  method: string,
  parameters: Readonly<Record<string, CimValue>>,
): Promise<InvokeResult['out']> {
  const { returnValue, out, job } = await call(client, target, method, parameters);
  const code = job?.properties['ErrorCode'] ?? returnValue;
  if (code !== 0 || (job !== undefined && job.properties['JobState'] !== 7)) {
    throw new Error(
      `${method} answered ${returnValue}, job error ${numberOf(code)}: ${textOf(job?.properties['ErrorDescription'])}`,
    );
  }
  return out;
}

/** The error code that a call ended with, told either way; 0 = success. */
export function codeOf(outcome: Outcome): number {
  return outcome.job === undefined ? outcome.returnValue : Number(outcome.job.properties['ErrorCode']);
}

export async function defineMachine(
  client: WsmanClient,
  properties: Readonly<Record<string, CimValue>> = {},
): Promise<string> {
  const settings = v2('Msvm_VirtualSystemSettingData', {
    ElementName: 'vm',
    VirtualSystemSubType: 'Microsoft:Hyper-V:SubType:2',
    ...properties,
  });
  const out = await succeed(client, MANAGEMENT, 'DefineSystem', { SystemSettings: settings });
  return referencesOf(out['ResultingSystem'])[0]?.keys['Name'] ?? '';
}
