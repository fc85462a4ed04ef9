import { wqlString } from '@nova-hyperv/wsman';
import type { CimReference } from '@nova-hyperv/wsman';
import { HyperVError } from './errors.js';
import { STORAGE } from './names.js';
import { diskOf } from './physical-disks.js';
import type { PhysicalDisk } from './physical-disks.js';
import { flag, numeric, text } from './read.js';
import { ALREADY_LOGGED_IN, callStorage, hresultOf, inNamespace } from './storage-errors.js';
import type { HostWire } from './wire.js';

export interface IscsiPortal {
  readonly address: string;
  readonly port: number;
}

/** Never logged. */
export interface ChapAccount {
  readonly username: string;
  readonly secret: string;
}

export interface IscsiLogin {
  readonly portal: IscsiPortal;
  /** The target's node name: `iqn.…`. */
  readonly target: string;
  readonly chap?: ChapAccount;
  /** For discovery. */
  readonly discoveryChap?: ChapAccount;
  readonly multipath: boolean;
  /** InstanceName of the adapter to use; the host's choice without. */
  readonly initiator?: string;
}

export interface IscsiSession {
  readonly reference: CimReference;
  readonly id: string;
  readonly target: string;
  readonly isConnected: boolean;
  readonly isPersistent: boolean;
  readonly initiatorInstance: string;
}

/** MSFT_InitiatorPort.ConnectionType */
const CONNECTION_ISCSI = 2;

/**
 * The host's iSCSI initiator. Source: iSCSI WMI provider version 2 (root/microsoft/windows/storage), as PowerShell's cmdlets of the
 * module iSCSI call it.
 */
export class IscsiInitiator {
  readonly #wire: HostWire;

  constructor(wire: HostWire) {
    this.#wire = wire;
  }

  /** Adapters by InstanceName, with the node name by which targets know them. */
  async initiators(): Promise<readonly { readonly instanceName: string; readonly nodeName: string }[]> {
    const rows = await this.#wire.client.query(
      STORAGE,
      `SELECT * FROM MSFT_InitiatorPort WHERE ConnectionType=${CONNECTION_ISCSI}`,
    );
    return rows.map(({ instance }) => ({
      instanceName: text(instance, 'InstanceName'),
      nodeName: text(instance, 'NodeAddress'),
    }));
  }

  async sessions(target: string): Promise<readonly IscsiSession[]> {
    const rows = await this.#wire.client.query(
      STORAGE,
      `SELECT * FROM MSFT_iSCSISession WHERE TargetNodeAddress=${wqlString(target)}`,
    );
    return rows.map(({ instance, reference }) => ({
      reference,
      id: text(instance, 'SessionIdentifier'),
      target: text(instance, 'TargetNodeAddress'),
      isConnected: flag(instance, 'IsConnected'),
      isPersistent: flag(instance, 'IsPersistent'),
      initiatorInstance: text(instance, 'InitiatorInstanceName'),
    }));
  }

  /** Portals that a session's connections go to. */
  async portalsOf(session: IscsiSession): Promise<readonly IscsiPortal[]> {
    const rows = await this.#wire.client.associators(session.reference, {
      associationClass: 'MSFT_iSCSISessionToiSCSIConnection',
      resultClass: 'MSFT_iSCSIConnection',
    });
    return rows.map(({ instance }) => ({
      address: text(instance, 'TargetAddress'),
      port: numeric(instance, 'TargetPortNumber'),
    }));
  }

  /** Disks that sessions show, each once. A call for each session. */
  async disksOf(sessions: readonly IscsiSession[]): Promise<readonly PhysicalDisk[]> {
    const found = await Promise.all(
      sessions
        .filter(({ isConnected }) => isConnected)
        .map(({ reference }) =>
          this.#wire.client.associators(reference, {
            associationClass: 'MSFT_iSCSISessionToDisk',
            resultClass: 'MSFT_Disk',
          }),
        ),
    );
    return [...new Map(found.flat().map((row) => [diskOf(row).number, diskOf(row)])).values()];
  }

  /** Makes the target known and logs in, now and whenever the host starts. A login that exists counts as made. */
  async login(login: IscsiLogin): Promise<void> {
    const { portal, target, chap, multipath, initiator } = login;
    await this.#discover(login);
    try {
      await callStorage(
        this.#wire,
        inNamespace(STORAGE, 'MSFT_iSCSITarget'),
        'Connect',
        {
          NodeAddress: target,
          TargetPortalAddress: portal.address,
          TargetPortalPortNumber: portal.port,
          IsPersistent: true,
          IsMultipathEnabled: multipath,
          ReportToPnP: true,
          ...authentication(chap),
          ...(initiator === undefined ? {} : { InitiatorInstanceName: initiator }),
        },
        `log in to ${target} at ${portal.address}:${portal.port}`,
      );
    } catch (error) {
      if (hresultOf(error) !== ALREADY_LOGGED_IN) throw error;
    }
  }

  /** Ends the sessions and forgets their logins. */
  async logout(sessions: readonly IscsiSession[]): Promise<void> {
    for (const { reference, id, target, isConnected, isPersistent } of sessions) {
      if (isPersistent)
        await callStorage(this.#wire, reference, 'Unregister', {}, `forget the login to ${target}`);
      if (!isConnected) continue;
      await callStorage(
        this.#wire,
        inNamespace(STORAGE, 'MSFT_iSCSITarget', { NodeAddress: target }),
        'Disconnect',
        { SessionIdentifier: id },
        `log out of ${target}`,
      );
    }
  }

  /** Windows keeps a portal that did not answer, and asks it again whenever it starts. */
  async #forgetPortal({ address, port }: IscsiPortal): Promise<void> {
    const portal = inNamespace(STORAGE, 'MSFT_iSCSITargetPortal', { TargetPortalAddress: address });
    try {
      await this.#wire.client.invoke(portal, 'Remove', {
        TargetPortalAddress: address,
        TargetPortalPortNumber: port,
      });
    } catch {
      // Why it did not answer is what has to be told.
    }
  }

  async #isKnown(target: string): Promise<boolean> {
    const rows = await this.#wire.client.query(
      STORAGE,
      `SELECT NodeAddress FROM MSFT_iSCSITarget WHERE NodeAddress=${wqlString(target)}`,
    );
    return rows.length > 0;
  }

  /** A portal that is known is asked again: the target may be newer. */
  async #discover({ portal, target, discoveryChap, initiator }: IscsiLogin): Promise<void> {
    const what = `ask portal ${portal.address}:${portal.port} for its targets`;
    const known = await this.#wire.client.query(
      STORAGE,
      `SELECT * FROM MSFT_iSCSITargetPortal WHERE TargetPortalAddress=${wqlString(portal.address)}`,
    );
    const entry = known.find(({ instance }) => numeric(instance, 'TargetPortalPortNumber') === portal.port);
    const place = { TargetPortalAddress: portal.address, TargetPortalPortNumber: portal.port };
    if (entry === undefined) {
      try {
        await callStorage(
          this.#wire,
          inNamespace(STORAGE, 'MSFT_iSCSITargetPortal'),
          'New',
          {
            ...place,
            ...authentication(discoveryChap),
            ...(initiator === undefined ? {} : { InitiatorInstanceName: initiator }),
          },
          what,
        );
      } catch (error) {
        await this.#forgetPortal(portal);
        throw error;
      }
    } else if (!(await this.#isKnown(target))) {
      await callStorage(this.#wire, entry.reference, 'Update', place, what);
    } else return;
    if (await this.#isKnown(target)) return;
    throw new HyperVError(
      'HYPERV_NOT_FOUND',
      `Portal ${portal.address}:${portal.port} does not show target ${target} to host ${this.#wire.host}: check that the target exists and admits this host's initiator.`,
      { host: this.#wire.host },
    );
  }
}

function authentication(chap: ChapAccount | undefined): Readonly<Record<string, string>> {
  if (chap === undefined) return {};
  return { AuthenticationType: 'ONEWAYCHAP', ChapUsername: chap.username, ChapSecret: chap.secret };
}
