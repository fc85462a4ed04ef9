import {
  InstanceNotFoundError,
  metadataInput,
  readVendorData,
  withPostedPassword,
  type InstanceRecord,
  type MetadataInput,
} from '@nova-hyperv/compute';
import { createSqliteBlockDeviceStore } from '../compute/index.js';
import { liveRow, saveIn } from '../compute/store/instance-store.js';
import { toServer } from '../compute/store/records.js';
import type { ComputeTables } from '../compute/store/tables.js';
import type { AnyDatabase } from '../kernel/database.js';
import { badRequest, conflict } from '../kernel/errors.js';
import type { NetworkTables } from '../network/tables.js';
import type { MetadataCaller } from './caller.js';

export interface MetadataConfig {
  /** [api] dhcp_domain */
  readonly dhcpDomain: string;
  /** [api] vendordata_jsonfile_path; empty = none. */
  readonly vendordataJsonfilePath: string;
  /** [DEFAULT] default_availability_zone */
  readonly defaultAvailabilityZone: string;
}

/** Instances as they are now: nothing is remembered from one request to the next. */
export class MetadataInstances {
  readonly #db: AnyDatabase;
  readonly #config: MetadataConfig;

  constructor(db: AnyDatabase, config: MetadataConfig) {
    this.#db = db;
    this.#config = config;
  }

  /** Undefined for an instance that is not there, or is another project's than the proxy says. @throws ApiError 400 */
  async find(caller: MetadataCaller): Promise<InstanceRecord | undefined> {
    const { uuid, projectId } = caller.kind === 'instance' ? caller : await this.#atAddress(caller);
    try {
      const record = toServer(await liveRow(this.#db.withTables<ComputeTables>(), uuid));
      return record.projectId === projectId ? record : undefined;
    } catch (error) {
      if (error instanceof InstanceNotFoundError) return undefined;
      throw error;
    }
  }

  async #atAddress({
    networkId,
    address,
  }: Extract<MetadataCaller, { kind: 'address' }>): Promise<{ uuid: string; projectId: string }> {
    const ports = await this.#db
      .withTables<NetworkTables>()
      .selectFrom('network_port')
      .innerJoin('network_fixed_ip', 'network_fixed_ip.port_id', 'network_port.id')
      .select(['network_port.device_id as uuid', 'network_port.project_id as projectId'])
      .where('network_port.network_id', '=', networkId)
      .where('network_fixed_ip.ip_address', '=', address)
      .execute();
    const [port] = ports;
    if (port !== undefined && ports.length === 1) return port;
    throw badRequest(
      `Expected a single port matching provider ${networkId} and IP ${address}. Found ${ports.length}.`,
    );
  }

  async describe(record: InstanceRecord): Promise<MetadataInput> {
    const { vendordataJsonfilePath, ...config } = this.#config;
    const devices = await createSqliteBlockDeviceStore(this.#db).list(record.uuid);
    return metadataInput(record, {
      ...config,
      securityGroups: await this.#securityGroups(record.uuid),
      volumeDevices: devices.flatMap(({ deviceName }) => (deviceName === null ? [] : [deviceName])),
      vendorData: await readVendorData(vendordataJsonfilePath),
    });
  }

  async #securityGroups(uuid: string): Promise<readonly string[]> {
    const rows = await this.#db
      .withTables<NetworkTables>()
      .selectFrom('network_port')
      .innerJoin('network_port_group', 'network_port_group.port_id', 'network_port.id')
      .innerJoin('network_group', 'network_group.id', 'network_port_group.group_id')
      .select('network_group.name')
      .distinct()
      .where('network_port.device_id', '=', uuid)
      .orderBy('network_group.name')
      .execute();
    return rows.map(({ name }) => name);
  }

  /** Once: what has been posted stays. @throws ApiError 409 */
  async postPassword({ uuid }: Pick<InstanceRecord, 'uuid'>, password: string): Promise<void> {
    await this.#db
      .withTables<ComputeTables>()
      .transaction()
      .execute(async (trx) => {
        const { systemMetadata } = toServer(await liveRow(trx, uuid));
        if ((systemMetadata['password_0'] ?? '') !== '') throw conflict('There was a conflict.');
        await saveIn(trx, uuid, { systemMetadata: withPostedPassword(systemMetadata, password) });
      });
  }
}
