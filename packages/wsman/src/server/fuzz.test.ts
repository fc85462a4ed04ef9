import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeEnumerate } from '../codec/enumeration.js';
import { encodeRequest } from '../codec/envelope.js';
import { encodeInvoke } from '../codec/invoke.js';
import { ACTIONS } from '../codec/namespaces.js';
import { resourceUri } from '../codec/resource-uri.js';
import { WsmanError } from '../errors.js';
import { loadSchema } from '../schema/load-schema.js';
import { sampleProvider, SAMPLE_NAMESPACE } from '../testing/sample.js';
import { parseXml } from '../xml/reader.js';
import { Dispatcher } from './dispatcher.js';
import { DEFAULT_SERVER_LIMITS } from './limits.js';

const schema = loadSchema();
const keys = { CreationClassName: 'Msvm_ComputerSystem', Name: '00000000-0000-4000-8000-000000000000' };
const vm = {
  kind: 'reference',
  namespace: SAMPLE_NAMESPACE,
  className: 'Msvm_ComputerSystem',
  keys,
} as const;

function message(action: string, className: string, body: string, target?: typeof vm): Buffer {
  const fields = {
    to: 'http://h/wsman',
    messageId: 'uuid:1',
    maxEnvelopeSize: 153_600,
    operationTimeoutMs: 60_000,
    schema,
  };
  const uri = resourceUri(SAMPLE_NAMESPACE, className);
  return Buffer.from(encodeRequest({ ...fields, action, resourceUri: uri, ...(target && { target }) }, body));
}

function invoke(): Buffer {
  const def = schema.classOf(SAMPLE_NAMESPACE, 'Msvm_VirtualSystemManagementService')!;
  const method = def.methods.get('AddResourceSettings')!;
  const setting = {
    kind: 'instance',
    namespace: SAMPLE_NAMESPACE,
    className: 'Msvm_MemorySettingData',
    properties: { Limit: 5n },
  } as const;
  const context = { schema, namespace: SAMPLE_NAMESPACE, strict: true };
  const body = encodeInvoke(def, method, { AffectedConfiguration: vm, ResourceSettings: [setting] }, context);
  return message(`${resourceUri(SAMPLE_NAMESPACE, def.name)}/AddResourceSettings`, def.name, body, vm);
}

const messages = [
  message(ACTIONS.get, 'Msvm_ComputerSystem', '', vm),
  message(
    ACTIONS.enumerate,
    '*',
    encodeEnumerate({
      optimize: true,
      maxElements: 5,
      mode: 'both',
      filter: { kind: 'wql', query: "SELECT Name FROM Msvm_ComputerSystem WHERE Name LIKE '%1'" },
    }),
  ),
  message(
    ACTIONS.enumerate,
    '*',
    encodeEnumerate(
      {
        optimize: false,
        mode: 'object',
        filter: { kind: 'associators', source: vm, filter: { role: 'ManagedElement' } },
      },
      schema,
    ),
  ),
  invoke(),
];

describe('damaged messages', () => {
  it('get an answer or a fault, never a crash', async () => {
    const problems: unknown[] = [];
    const dispatcher = new Dispatcher({
      provider: sampleProvider(2),
      limits: { ...DEFAULT_SERVER_LIMITS, maxEnumerations: 100_000, maxEnumerationsPerUser: 100_000 },
      log: (entry) => problems.push(entry.error),
    });
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...messages), changes, async (original, edits) => {
        const changed = Buffer.from(original);
        for (const [at, byte] of edits) changed[at % changed.length] = byte;
        let root;
        try {
          root = parseXml(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(WsmanError);
          return;
        }
        const reply = await dispatcher.handle(root, { user: 'a' });
        expect(parseXml(reply.body).local).toBe('Envelope');
      }),
      { numRuns: 1500 },
    );
    dispatcher.close();
    expect(problems).toEqual([]);
  });
});
