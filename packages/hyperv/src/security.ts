import { isCimArray, isCimInstance, wqlLikePrefix, wqlString } from '@nova-hyperv/wsman';
import type { CimInstance, CimReference, CimValue } from '@nova-hyperv/wsman';
import { hasCode, HyperVError, RETURN } from './errors.js';
import { reference, serviceReference, settingsInstance } from './machines.js';
import type { MachineHandle } from './machines.js';
import { flag, numeric, text } from './read.js';
import { sleep } from './wire.js';
import type { HostWire, InvokeOptions } from './wire.js';

const SERVICE = serviceReference('Msvm_SecurityService');
const MSPS = 'root/msps';
const HGS = 'root/Microsoft/Windows/Hgs';

/** The open parts of a shielding data file (PDK). */
export interface ShieldingData {
  readonly keyProtector: readonly number[];
  readonly policy: readonly number[];
}

/** What a machine's security settings become. Encryption of its state goes with the TPM. */
export interface MachineSecurity {
  readonly vtpm: boolean;
  readonly shielded: boolean;
}

/** Provisioning re-encrypts a disk: minutes. */
const PROVISIONING_MS = 60 * 60_000;
const POLL_MS = 2_000;
const JOB_COMPLETED = 7;

/**
 * Security of machines: key protectors, virtual TPMs, shielding, and what the host's guardian client and shielded VM tools do for them.
 * Sources: HyperV_v2, Msvm_SecurityService; MSFT_HgsClientConfiguration; Shielded VM Provisioning WMI Provider.
 */
export class Security {
  readonly #wire: HostWire;

  constructor(wire: HostWire) {
    this.#wire = wire;
  }

  /** Whether the host is a guarded one; a host without the guardian client is not. */
  async isGuarded(): Promise<boolean> {
    try {
      const { returnValue, out } = await this.#wire.client.invoke(
        classReference(HGS, 'MSFT_HgsClientConfiguration'),
        'Get',
        {},
      );
      const found = out['cmdletOutput'] ?? null;
      return returnValue === RETURN.done && isCimInstance(found) && flag(found, 'IsHostGuarded');
    } catch (error) {
      // A host without the class or its namespace answers with a fault.
      if (hasCode(error, 'WSMAN_FAULT')) return false;
      throw error;
    }
  }

  /** Whether the machine's state is encrypted, as that of all machines with a TPM that this library made is. */
  async isSecured(machine: Pick<MachineHandle, 'id'>): Promise<boolean> {
    try {
      const settings = await this.#settingsOf(machine);
      return settings !== undefined && flag(settings, 'EncryptStateAndVmMigrationTraffic');
    } catch (error) {
      // Hosts before 10.0 do not have the class.
      if (hasCode(error, 'WSMAN_FAULT')) return false;
      throw error;
    }
  }

  /** Msps_ProvisioningFileProcessor.PopulateFromFile. @param path the host's path of the file */
  async readShieldingData(path: string): Promise<ShieldingData> {
    const { out } = await this.#wire.call(
      classReference(MSPS, 'Msps_ProvisioningFileProcessor'),
      'PopulateFromFile',
      { FilePath: path },
    );
    const file = out['ProvisioningFile'] ?? null;
    const [keyProtector, policy] = isCimInstance(file)
      ? [bytes(file.properties['KeyProtector']), bytes(file.properties['PolicyData'])]
      : [[], []];
    if (keyProtector.length > 0) return { keyProtector, policy };
    throw new HyperVError(
      'HYPERV_UNEXPECTED',
      `${this.#wire.host} read ${path} and found no key protector in it: is it a shielding data file (.pdk)?`,
      { host: this.#wire.host },
    );
  }

  /** Key protector, policy, settings, in the order that Hyper-V needs. The machine is off. */
  async secure(
    machine: MachineHandle,
    data: ShieldingData,
    wanted: MachineSecurity,
    options: InvokeOptions = {},
  ): Promise<void> {
    const settings = await this.#settingsOf(machine);
    if (settings === undefined) {
      throw new HyperVError(
        'HYPERV_UNEXPECTED',
        `${this.#wire.host} has no security settings for machine ${machine.name}.`,
        { host: this.#wire.host },
      );
    }
    const SecuritySettingData = settingsInstance('Msvm_SecuritySettingData', {
      InstanceID: text(settings, 'InstanceID'),
      TpmEnabled: wanted.vtpm,
      EncryptStateAndVmMigrationTraffic: wanted.vtpm,
      ShieldingRequested: wanted.shielded,
    });
    const call = (method: string, parameters: Readonly<Record<string, CimValue>>) =>
      this.#wire.call(
        SERVICE,
        method,
        { SecuritySettingData, ...parameters },
        { busyRetries: 5, ...options },
      );
    await call('SetKeyProtector', { KeyProtector: data.keyProtector });
    await call('SetSecurityPolicy', { SecurityPolicy: data.policy });
    await call('ModifySecuritySettings', {});
  }

  /** Writes a specialization data file (FSK); keys stand between @ signs. @param path the host's path of the new file */
  async writeSpecialization(path: string, values: Readonly<Record<string, string>>): Promise<void> {
    const object = (className: string, properties: Readonly<Record<string, CimValue>>): CimInstance => ({
      kind: 'instance',
      namespace: MSPS,
      className,
      properties,
    });
    const pairs = Object.entries(values).map(([key, Value]) => object('Msps_FabricData', { key, Value }));
    await this.#wire.call(classReference(MSPS, 'Msps_ProvisioningFileProcessor'), 'SerializeToFile', {
      FilePath: path,
      ProvisioningFile: object('Msps_FSK', { FabricDataPairs: pairs }),
    });
  }

  /** Msps_ProvisioningService.ProvisionMachine, and waits for its job. Paths are the host's. */
  async provision(
    machine: MachineHandle,
    files: { readonly pdk: string; readonly fsk: string },
    options: InvokeOptions = {},
  ): Promise<void> {
    const { out } = await this.#wire.call(
      classReference(MSPS, 'Msps_ProvisioningService'),
      'ProvisionMachine',
      { PDKPath: files.pdk, FSKPath: files.fsk, MachineID: machine.id },
      options,
    );
    const until = Date.now() + (options.deadlineMs ?? PROVISIONING_MS);
    for (let job = out['ProvisioningJob'] ?? null; isCimInstance(job); job = await this.#job(job, options)) {
      const state = numeric(job, 'JobState');
      if (state === JOB_COMPLETED) return;
      if (state > JOB_COMPLETED || Date.now() > until) {
        const why = text(job, 'ErrorDescription') || `its job is in state ${state}`;
        throw new HyperVError(
          'HYPERV_JOB_FAILED',
          `Provisioning of machine ${machine.name} on ${this.#wire.host} failed: ${why}.`,
          { host: this.#wire.host },
        );
      }
    }
    throw new HyperVError(
      'HYPERV_UNEXPECTED',
      `${this.#wire.host} lost the provisioning job of machine ${machine.name}.`,
      { host: this.#wire.host },
    );
  }

  async #job(job: CimInstance, { signal }: InvokeOptions): Promise<CimValue> {
    await sleep(POLL_MS, signal);
    const id = text(job, 'InstanceID');
    const found = await this.#wire.client.query(
      MSPS,
      `SELECT * FROM Msps_ProvisioningJob WHERE InstanceID=${wqlString(id)}`,
    );
    return found[0]?.instance ?? null;
  }

  async #settingsOf(machine: Pick<MachineHandle, 'id'>): Promise<CimInstance | undefined> {
    const where = `InstanceID LIKE ${wqlLikePrefix(`Microsoft:${machine.id}`)}`;
    const found = await this.#wire.query(`SELECT * FROM Msvm_SecuritySettingData WHERE ${where}`);
    return found[0]?.instance;
  }
}

/** A static method is called on its class. */
function classReference(namespace: string, className: string): CimReference {
  return { ...reference(className, {}), namespace };
}

function bytes(value: CimValue | undefined): readonly number[] {
  return isCimArray(value) ? value.filter((one) => typeof one === 'number') : [];
}
