import type {
  CimInstance,
  CimReference,
  CimValue,
  Found,
  InvokeResult,
  WsmanClient,
} from '@nova-hyperv/wsman';
import { VIRTUALIZATION } from '../names.js';

/** For tests: a client whose answers are functions. */
export interface FakeAnswers {
  readonly query?: (wql: string) => readonly CimInstance[];
  readonly invoke?: (
    reference: CimReference,
    method: string,
    parameters: Readonly<Record<string, CimValue>>,
  ) => InvokeResult;
}

export interface FakeClient extends WsmanClient {
  readonly queries: string[];
  readonly calls: string[];
}

function refuse(): Promise<never> {
  return Promise.reject(new Error('The test expects no such call'));
}

export function fakeClient(answers: FakeAnswers): FakeClient {
  const queries: string[] = [];
  const calls: string[] = [];
  return {
    queries,
    calls,
    counters: { roundTrips: 0, bytesSent: 0, bytesReceived: 0 },
    identify: refuse,
    get: refuse,
    put: refuse,
    create: refuse,
    delete: refuse,
    enumerate: refuse,
    references: refuse,
    associators: () => Promise.resolve([]),
    close: () => Promise.resolve(),
    query: async (_namespace, wql) => {
      queries.push(wql);
      await Promise.resolve();
      return (answers.query?.(wql) ?? []).map((instance) => found(instance));
    },
    invoke: async (reference, method, parameters) => {
      calls.push(method);
      await Promise.resolve();
      return answers.invoke?.(reference, method, parameters) ?? { returnValue: 0, out: {} };
    },
  };
}

function found(instance: CimInstance): Found {
  const id = instance.properties['InstanceID'];
  return { instance, reference: jobReference(instance.className, typeof id === 'string' ? id : '') };
}

export function jobReference(className: string, id: string): CimReference {
  return { kind: 'reference', namespace: VIRTUALIZATION, className, keys: { InstanceID: id } };
}

export function row(className: string, properties: CimInstance['properties']): CimInstance {
  return { kind: 'instance', namespace: VIRTUALIZATION, className, properties };
}
