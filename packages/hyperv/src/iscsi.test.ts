import { WsmanFault } from '@nova-hyperv/wsman';
import type { CimInstance, CimReference, CimValue } from '@nova-hyperv/wsman';
import { describe, expect, it } from 'vitest';
import { IscsiInitiator } from './iscsi.js';
import { STORAGE } from './names.js';
import { ShapeMemory } from './shapes.js';
import { isFinalStorageError } from './storage-errors.js';
import { fakeClient } from './test-support/fake-client.js';
import { HostWire } from './wire.js';

const TARGET = 'iqn.2010-10.org.openstack:volume-1';
const row = (className: string, properties: CimInstance['properties']): CimInstance => ({
  kind: 'instance',
  namespace: STORAGE,
  className,
  properties,
});

/** An initiator that knows `portals`, and whose calls answer what `refuse` says. */
function initiator(portals: readonly number[], refuse: Readonly<Record<string, number>> = {}) {
  const called: { readonly method: string; readonly parameters: Readonly<Record<string, CimValue>> }[] = [];
  let discovered = false;
  const client = fakeClient({
    query: (wql) => {
      if (wql.includes('FROM MSFT_iSCSITargetPortal'))
        return portals.map((port) =>
          row('MSFT_iSCSITargetPortal', { TargetPortalAddress: '10.0.0.1', TargetPortalPortNumber: port }),
        );
      return discovered ? [row('MSFT_iSCSITarget', { NodeAddress: TARGET })] : [];
    },
    invoke: (reference: CimReference, method, parameters) => {
      const name = `${reference.className}.${method}`;
      called.push({ method: name, parameters });
      const hresult = refuse[name];
      if (hresult !== undefined) throw new WsmanFault({ subcode: 'InternalError', message: 'no', hresult });
      if (method === 'New' || method === 'Update') discovered = true;
      return { returnValue: 0, out: {} };
    },
  });
  const iscsi = new IscsiInitiator(new HostWire(client, 'HV1', new ShapeMemory()));
  const login = () =>
    iscsi.login({
      portal: { address: '10.0.0.1', port: 3260 },
      target: TARGET,
      chap: { username: 'u', secret: 's3cret-of-12-x' },
      multipath: false,
    });
  return { called, login, methods: () => called.map(({ method }) => method) };
}

describe('a login', () => {
  it('makes the portal known, then the session, for now and for every start', async () => {
    const { login, called, methods } = initiator([]);
    await login();
    expect(methods()).toEqual(['MSFT_iSCSITargetPortal.New', 'MSFT_iSCSITarget.Connect']);
    expect(called.at(-1)?.parameters).toMatchObject({
      NodeAddress: TARGET,
      AuthenticationType: 'ONEWAYCHAP',
      ChapUsername: 'u',
      IsPersistent: true,
      IsMultipathEnabled: false,
    });
  });

  it('asks a portal that is known for newer targets', async () => {
    const { login, methods } = initiator([3261, 3260]);
    await login();
    expect(methods()).toEqual(['MSFT_iSCSITargetPortal.Update', 'MSFT_iSCSITarget.Connect']);
  });

  it('that exists is as good as a new one', async () => {
    await initiator([], { 'MSFT_iSCSITarget.Connect': 0xefff_003f }).login();
  });

  it('that is refused says why and what to do, without the secret', async () => {
    const refused = await initiator([], { 'MSFT_iSCSITarget.Connect': 0xefff_0009 })
      .login()
      .catch((error: unknown) => error);
    expect(String(refused)).toMatch(/CHAP user name or secret.*12 to 16 characters/);
    expect(JSON.stringify(refused)).not.toContain('s3cret');
    expect(isFinalStorageError(refused)).toBe(true);
  });

  it('takes back a portal that does not answer', async () => {
    const { login, methods } = initiator([], { 'MSFT_iSCSITargetPortal.New': 0xefff_0003 });
    await expect(login()).rejects.toThrow(/portal does not answer/);
    expect(methods()).toEqual(['MSFT_iSCSITargetPortal.New', 'MSFT_iSCSITargetPortal.Remove']);
  });
});
