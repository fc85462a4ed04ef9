import { wqlString } from '@nova-hyperv/wsman';
import type { CimReference } from '@nova-hyperv/wsman';
import { SMB } from './names.js';
import { numeric, text } from './read.js';
import { callStorage, hresultOf, inNamespace, NOT_CONNECTED, OPEN_FILES } from './storage-errors.js';
import { sameHostPath } from './windows-path.js';
import type { HostWire } from './wire.js';

/** MSFT_SmbMapping.Status */
const STATUS_OK = 0;
/** Names by which a host means itself. */
const SELF = new Set(['localhost', '127.0.0.1', '.']);

export interface ShareAccount {
  readonly username: string;
  readonly password: string;
}

/** The host's connections to shares of file servers, and its own shares. Source: SMB Management API. */
export class SmbShares {
  readonly #wire: HostWire;

  constructor(wire: HostWire) {
    this.#wire = wire;
  }

  /** Connects the host to a share, without a drive letter, until it restarts; harmless when it is. `share`: `\\server\share`. */
  async connect(share: string, account?: ShareAccount): Promise<void> {
    const [mapping] = await this.#mappings(share);
    if (mapping?.status === STATUS_OK) return;
    // A connection that broke stands in the way of a new one.
    if (mapping !== undefined) await this.#remove(mapping.reference, share, true);
    await callStorage(
      this.#wire,
      inNamespace(SMB, 'MSFT_SmbMapping'),
      'Create',
      {
        RemotePath: share,
        Persistent: false,
        ...(account === undefined ? {} : { UserName: account.username, Password: account.password }),
      },
      `connect to ${share}`,
    );
  }

  /** Ends the connection, unless files are open over it; harmless when there is none. */
  async disconnect(share: string): Promise<void> {
    for (const { reference } of await this.#mappings(share)) await this.#remove(reference, share, false);
  }

  /** The host's folder behind one of its own shares; undefined when `share` is another's. */
  async localPath(share: string): Promise<string | undefined> {
    const [server = '', name = ''] = share.replace(/^\\+/, '').split('\\');
    if (!this.#isSelf(server)) return undefined;
    const [found] = await this.#wire.client.query(
      SMB,
      `SELECT Name, ScopeName, Path FROM MSFT_SmbShare WHERE Name=${wqlString(name)}`,
    );
    const path = found === undefined ? '' : text(found.instance, 'Path');
    return path === '' ? undefined : path;
  }

  #isSelf(server: string): boolean {
    const own = this.#wire.host.toLowerCase();
    const asked = server.toLowerCase();
    return SELF.has(asked) || asked === own || asked.startsWith(`${own}.`);
  }

  /** Those without a drive letter: a person made the others. */
  async #mappings(
    share: string,
  ): Promise<readonly { readonly reference: CimReference; readonly status: number }[]> {
    const found = await this.#wire.client.query(SMB, 'SELECT * FROM MSFT_SmbMapping');
    return found
      .filter(
        ({ instance }) =>
          sameHostPath(text(instance, 'RemotePath'), share) && text(instance, 'LocalPath') === '',
      )
      .map(({ instance, reference }) => ({ reference, status: numeric(instance, 'Status') }));
  }

  async #remove(mapping: CimReference, share: string, force: boolean): Promise<void> {
    try {
      await callStorage(this.#wire, mapping, 'Remove', { Force: force }, `disconnect from ${share}`);
    } catch (error) {
      const hresult = hresultOf(error);
      // Somebody else was faster, or somebody else needs it.
      if (hresult !== NOT_CONNECTED && hresult !== OPEN_FILES) throw error;
    }
  }
}
