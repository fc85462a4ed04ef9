import { WBEM, WmiError } from '@nova-hyperv/wsman';
import type { CimInstance, CimValue } from '@nova-hyperv/wsman';
import { CIMV2, instance, isTrue, reference, sameText, textOf } from '../cim.js';
import { completed, returned } from '../methods.js';
import type { MethodCall, MethodHandler } from '../methods.js';
import type { AssociationSource } from '../store/associations.js';
import type { InstanceSource } from '../store/store.js';
import { STORAGE, diskInstanceReference } from './disk-classes.js';
import type { StorageContext } from './disk-classes.js';
import type { HostStorage } from './host-storage.js';
import { samePortal } from './host-storage.js';
import type { ChapCredentials, IscsiPortal } from './iscsi/session.js';
import { IscsiError } from './iscsi/status.js';
import type { KeptSession, KnownPortal } from './storage-state.js';

/** The Microsoft initiator is one instance of the Plug and Play device. */
const INITIATOR = String.raw`ROOT\ISCSIPRT\0000_0`;
const DEFAULT_PORT = 3260;
/** Bytes of a CHAP secret without IPsec. Source: Set-IscsiChapSecret. */
const SECRET_BYTES = { least: 12, most: 16 } as const;
const ISCSI = 2;

const source = (className: string, list: () => readonly CimInstance[]): InstanceSource => ({
  namespace: STORAGE,
  className,
  list,
});

const sessionRef = (id: string): CimValue =>
  reference(STORAGE, 'MSFT_iSCSISession', { SessionIdentifier: id });

const connectionRef = (id: string): CimValue =>
  reference(STORAGE, 'MSFT_iSCSIConnection', { ConnectionIdentifier: connectionId(id) });

const targetRef = (name: string): CimValue => reference(STORAGE, 'MSFT_iSCSITarget', { NodeAddress: name });

const portalRef = ({ address }: IscsiPortal): CimValue =>
  reference(STORAGE, 'MSFT_iSCSITargetPortal', { TargetPortalAddress: address });

const linkSource = (
  className: string,
  links: () => readonly Readonly<Record<string, CimValue>>[],
): AssociationSource => ({
  namespace: STORAGE,
  className,
  links: () => links().map((ends) => instance(STORAGE, className, ends)),
});

const own = (call: MethodCall): IscsiPortal => ({
  address: text(call, 'TargetPortalAddress') ?? textOf(call.target.properties['TargetPortalAddress']),
  port: port(call) ?? Number(call.target.properties['TargetPortalPortNumber'] ?? DEFAULT_PORT),
});

const sessionIdOf = (call: MethodCall): string => textOf(call.target.properties['SessionIdentifier']);

/** The initiator of the iSCSI initiator WMI v2. Refusals are WMI errors with the ISDSC status as HRESULT. */
export function initiatorSources(context: StorageContext): readonly InstanceSource[] {
  const { host, storage } = context;
  return [
    source('MSFT_iSCSITargetPortal', () => storage.state.portals.map(portalInstance)),
    source('MSFT_iSCSITarget', () =>
      storage.state.targets.map(({ name }) =>
        instance(STORAGE, 'MSFT_iSCSITarget', {
          NodeAddress: name,
          IsConnected: storage.state.sessions.some(
            (session) => session.target === name && storage.isConnected(session.id),
          ),
        }),
      ),
    ),
    source('MSFT_iSCSISession', () =>
      storage.state.sessions.map((session) => sessionInstance(storage, session)),
    ),
    source('MSFT_iSCSIConnection', () =>
      storage.state.sessions
        .filter((session) => storage.isConnected(session.id))
        .map(({ id, portal }) =>
          instance(STORAGE, 'MSFT_iSCSIConnection', {
            ConnectionIdentifier: connectionId(id),
            InitiatorAddress: '0.0.0.0',
            InitiatorPortNumber: 0,
            TargetAddress: portal.address,
            TargetPortNumber: portal.port,
          }),
        ),
    ),
    source('MSFT_InitiatorPort', () => [
      instance(STORAGE, 'MSFT_InitiatorPort', {
        ObjectId: initiatorPortId(host.name),
        NodeAddress: storage.state.initiatorName,
        PortAddress: 'ISCSI ANY PORT',
        InstanceName: INITIATOR,
        ConnectionType: ISCSI,
        PortType: 0,
        OperationalStatus: [2],
        AlternateNodeAddress: [],
        AlternatePortAddress: [],
      }),
    ]),
    {
      namespace: CIMV2,
      className: 'Win32_Service',
      list: () => [serviceInstance(storage, host.name)],
    },
  ];
}

function initiatorPortId(hostName: string): string {
  return `{1}\\\\${hostName.toUpperCase()}\\root/Microsoft/Windows/Storage/Providers_v2\\WSP_InitiatorPort.ObjectId="ISCSI:${INITIATOR}"`;
}

export function initiatorAssociations(context: StorageContext): readonly AssociationSource[] {
  const { host, storage } = context;
  const connected = (): readonly KeptSession[] =>
    storage.state.sessions.filter((session) => storage.isConnected(session.id));
  const disks = (end: (id: string) => Readonly<Record<string, CimValue>>) => () =>
    storage
      .disks()
      .filter((disk) => disk.isPresent)
      .flatMap((disk) =>
        disk.sessionIds
          .filter((id) => storage.isConnected(id))
          .map((id) => ({ ...end(id), Disk: diskInstanceReference(disk, host) })),
      );
  const known = ({ portal }: KeptSession): boolean =>
    storage.state.portals.some((one) => samePortal(one, portal));
  return [
    linkSource(
      'MSFT_iSCSISessionToDisk',
      disks((id) => ({ iSCSISession: sessionRef(id) })),
    ),
    linkSource(
      'MSFT_iSCSIConnectionToDisk',
      disks((id) => ({ iSCSIConnection: connectionRef(id) })),
    ),
    linkSource('MSFT_iSCSISessionToiSCSIConnection', () =>
      connected().map(({ id }) => ({ iSCSISession: sessionRef(id), iSCSIConnection: connectionRef(id) })),
    ),
    linkSource('MSFT_iSCSISessionToiSCSITargetPortal', () =>
      connected()
        .filter(known)
        .map(({ id, portal }) => ({ iSCSISession: sessionRef(id), iSCSITargetPortal: portalRef(portal) })),
    ),
    linkSource('MSFT_iSCSITargetToiSCSISession', () =>
      storage.state.sessions.map(({ id, target }) => ({
        iSCSITarget: targetRef(target),
        iSCSISession: sessionRef(id),
      })),
    ),
    linkSource('MSFT_iSCSITargetToiSCSIConnection', () =>
      connected().map(({ id, target }) => ({
        iSCSITarget: targetRef(target),
        iSCSIConnection: connectionRef(id),
      })),
    ),
    linkSource('MSFT_iSCSITargetToiSCSITargetPortal', () =>
      storage.state.targets.flatMap(({ name, portals }) =>
        storage.state.portals
          .filter((portal) => portals.some((one) => samePortal(one, portal)))
          .map((portal) => ({ iSCSITarget: targetRef(name), iSCSITargetPortal: portalRef(portal) })),
      ),
    ),
    linkSource('MSFT_InitiatorPortToiSCSISession', () =>
      storage.state.sessions.map(({ id }) => ({
        InitiatorPort: reference(STORAGE, 'MSFT_InitiatorPort', { ObjectId: initiatorPortId(host.name) }),
        iSCSISession: sessionRef(id),
      })),
    ),
  ];
}

export function portalMethods({ storage }: StorageContext): Readonly<Record<string, MethodHandler>> {
  return {
    New: told(async (call) => {
      const address = text(call, 'TargetPortalAddress') ?? '';
      if (address === '') throw new IscsiError('missingParameter', 'TargetPortalAddress');
      const chap = credentials(call);
      const portal: KnownPortal = {
        address,
        port: port(call) ?? DEFAULT_PORT,
        ...(chap === undefined ? {} : { chap }),
      };
      await storage.addPortal(portal);
      return completed({ CreatedTargetPortal: portalInstance(portal) });
    }),
    Remove: told((call) => {
      storage.removePortal(own(call));
      return returned(0);
    }),
    Update: told(async (call) => {
      await storage.updatePortals(own(call));
      return returned(0);
    }),
  };
}

export function targetMethods({
  storage,
  machines,
}: StorageContext): Readonly<Record<string, MethodHandler>> {
  return {
    Connect: told(async (call) => {
      // Called on the class there is a target object all the same: some instance.
      const target = text(call, 'NodeAddress') ?? call.reference.keys['NodeAddress'] ?? '';
      if (target === '') throw new IscsiError('missingParameter', 'NodeAddress');
      const address = text(call, 'TargetPortalAddress');
      const number = port(call);
      const session = await storage.connect({
        target,
        portal: {
          ...(address === undefined ? {} : { address }),
          ...(number === undefined ? {} : { port: number }),
        },
        chap: credentials(call),
        persistent: isTrue(call.raw('IsPersistent')),
        multipath: isTrue(call.raw('IsMultipathEnabled')),
      });
      return completed({ CreatediSCSISession: sessionInstance(storage, session) });
    }),
    Disconnect: told((call) => {
      const target = textOf(call.target.properties['NodeAddress']);
      const wanted = text(call, 'SessionIdentifier');
      const sessions = storage.state.sessions.filter(
        (session) => sameText(session.target, target) && (wanted === undefined || session.id === wanted),
      );
      if (sessions.length === 0) throw new IscsiError('invalidSessionId', wanted ?? target);
      for (const { id } of sessions)
        storage.disconnect(id, (disk) => machines.unitUsers(disk.key).length > 0);
      return returned(0);
    }),
    Update: told(async () => {
      await storage.updatePortals();
      return returned(0);
    }),
  };
}

export function sessionMethods({ storage }: StorageContext): Readonly<Record<string, MethodHandler>> {
  return {
    Register: told((call) => {
      const multipath = call.raw('IsMultipathEnabled');
      storage.changeSession(sessionIdOf(call), {
        persistent: true,
        ...(typeof multipath === 'boolean' ? { multipath } : {}),
      });
      return returned(0);
    }),
    Unregister: told((call) => {
      storage.changeSession(sessionIdOf(call), { persistent: false });
      return returned(0);
    }),
    // The secret that the initiator would ask targets for: mutual CHAP is refused, so nothing uses it.
    SetCHAPSecret: told((call) => {
      checkSecret(text(call, 'ChapSecret') ?? '');
      return returned(0);
    }),
  };
}

export function initiatorPortMethods({ storage }: StorageContext): Readonly<Record<string, MethodHandler>> {
  return {
    SetNodeAddress: (call) => {
      const name = text(call, 'NodeAddress') ?? '';
      // 5: invalid parameter
      if (!/^(?:iqn\.\d{4}-\d{2}\.[\w.:-]{1,200}|eui\.[\da-f]{16})$/i.test(name)) return returned(5);
      if (textOf(call.target.properties['InstanceName']) !== INITIATOR) return returned(1);
      storage.setInitiatorName(name.toLowerCase());
      return returned(0);
    },
  };
}

/** Win32_Service of the initiator. Return codes: 10 already running, 5 cannot accept control, 14 disabled, 21 invalid. */
export function serviceMethods({ storage }: StorageContext): Readonly<Record<string, MethodHandler>> {
  const modes = { automatic: 'Auto', manual: 'Manual', disabled: 'Disabled' } as const;
  return {
    StartService: () => {
      if (storage.state.serviceMode === 'Disabled') return returned(14);
      if (storage.service === 'Running') return returned(10);
      storage.setService('Running');
      return returned(0);
    },
    StopService: () => {
      if (storage.service === 'Stopped') return returned(5);
      storage.setService('Stopped');
      return returned(0);
    },
    ChangeStartMode: (call) => {
      const wanted = (text(call, 'StartMode') ?? '').toLowerCase();
      const mode = Object.entries(modes).find(([name]) => name === wanted)?.[1];
      if (mode === undefined) return returned(21);
      storage.setServiceMode(mode);
      return returned(0);
    },
  };
}

function told(work: (call: MethodCall) => ReturnType<MethodHandler>): MethodHandler {
  return async (call) => {
    try {
      return await work(call);
    } catch (error) {
      if (!(error instanceof IscsiError)) throw error;
      throw new WmiError(error.status, error.message, { cause: error });
    }
  };
}

function text(call: MethodCall, name: string): string | undefined {
  const value = call.raw(name);
  if (value === null || value === '') return undefined;
  if (typeof value === 'string') return value;
  throw new WmiError(WBEM.invalidMethodParameters, `${name}: a text is needed.`);
}

function port(call: MethodCall): number | undefined {
  const value = call.raw('TargetPortalPortNumber');
  if (value === null) return undefined;
  if (typeof value === 'number' && value > 0 && value < 65_536) return value;
  throw new WmiError(WBEM.invalidMethodParameters, 'TargetPortalPortNumber: 1 to 65535.');
}

function credentials(call: MethodCall): ChapCredentials | undefined {
  const type = (text(call, 'AuthenticationType') ?? 'NONE').toUpperCase();
  if (type === 'NONE') return undefined;
  if (type !== 'ONEWAYCHAP') throw new IscsiError('requestNotSupported', `AuthenticationType ${type}`);
  const secret = text(call, 'ChapSecret') ?? '';
  checkSecret(secret);
  const username = text(call, 'ChapUsername');
  if (username === undefined) throw new IscsiError('missingParameter', 'ChapUsername');
  return { username, secret };
}

function checkSecret(secret: string): void {
  const bytes = Buffer.byteLength(secret);
  if (bytes < SECRET_BYTES.least || bytes > SECRET_BYTES.most)
    throw new IscsiError('invalidChapSecret', `it has ${bytes}`);
}

function connectionId(sessionId: string): string {
  return sessionId.replace(/-(\w+)$/, (_, number: string) => `-${(BigInt(`0x${number}`) + 1n).toString(16)}`);
}

function portalInstance(portal: IscsiPortal): CimInstance {
  return instance(STORAGE, 'MSFT_iSCSITargetPortal', {
    TargetPortalAddress: portal.address,
    TargetPortalPortNumber: portal.port,
    InitiatorInstanceName: '',
    InitiatorPortalAddress: '',
    IsHeaderDigest: false,
    IsDataDigest: false,
  });
}

function sessionInstance(storage: HostStorage, session: KeptSession): CimInstance {
  const isConnected = storage.isConnected(session.id);
  return instance(STORAGE, 'MSFT_iSCSISession', {
    SessionIdentifier: session.id,
    InitiatorSideIdentifier: '400001370000',
    TargetSideIdentifier: '0100',
    NumberOfConnections: isConnected ? 1 : 0,
    TargetNodeAddress: session.target,
    InitiatorPortalAddress: '0.0.0.0',
    InitiatorNodeAddress: storage.state.initiatorName,
    InitiatorInstanceName: INITIATOR,
    AuthenticationType: session.chap === undefined ? 'NONE' : 'ONEWAYCHAP',
    IsConnected: isConnected,
    IsPersistent: session.persistent,
    IsDiscovered: true,
    IsDataDigest: false,
    IsHeaderDigest: false,
  });
}

function serviceInstance(storage: HostStorage, hostName: string): CimInstance {
  const isRunning = storage.service === 'Running';
  return instance(CIMV2, 'Win32_Service', {
    Name: 'MSiSCSI',
    Caption: 'Microsoft iSCSI Initiator Service',
    DisplayName: 'Microsoft iSCSI Initiator Service',
    Started: isRunning,
    State: isRunning ? 'Running' : 'Stopped',
    StartMode: storage.state.serviceMode,
    StartName: 'LocalSystem',
    ServiceType: 'Share Process',
    ErrorControl: 'Normal',
    PathName: String.raw`C:\Windows\system32\svchost.exe -k netsvcs -p`,
    AcceptStop: isRunning,
    AcceptPause: false,
    ExitCode: 0,
    Status: 'OK',
    CreationClassName: 'Win32_Service',
    SystemCreationClassName: 'Win32_ComputerSystem',
    SystemName: hostName.toUpperCase(),
  });
}
