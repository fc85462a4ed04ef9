import type { CimInstance, CimReference } from '@nova-hyperv/wsman';
import { isCimReference, wqlLikePrefix, wqlLikeSuffix, wqlString } from '@nova-hyperv/wsman';
import { HyperVError, isRefusal } from './errors.js';
import { PORT_SECURITY, REALIZED, VIRTUALIZATION } from './names.js';
import { references } from './read.js';
import type { WmiClasses, WmiClassName } from './wmi-classes.js';
import type { HostWire, InvokeOptions } from './wire.js';

/** A machine's own settings to write: only those that are meant to change, or that a new machine needs. */
export type SystemSettings = WmiClasses['Msvm_VirtualSystemSettingData'];

/** A machine as a lookup finds it. */
export interface MachineHandle {
  /** GUID, upper case. */
  readonly id: string;
  readonly name: string;
  readonly notes: readonly string[];
  /** Msvm_ComputerSystem */
  readonly system: CimReference;
  /** Its current Msvm_VirtualSystemSettingData. */
  readonly settings: CimReference;
  /** ConfigurationDataRoot, '' when the query did not ask for it. */
  readonly dataRoot: string;
}

/** The machine itself; `id` is its GUID, upper case. */
export function systemReference(id: string): CimReference {
  return reference('Msvm_ComputerSystem', { CreationClassName: 'Msvm_ComputerSystem', Name: id });
}

/** The machine's current settings. */
export function settingsReference(id: string): CimReference {
  return reference('Msvm_VirtualSystemSettingData', { InstanceID: `Microsoft:${id}` });
}

/** A service has one instance; its class name addresses it. */
export function serviceReference(className: string): CimReference {
  return reference(className, { CreationClassName: className });
}

/** An object of root/virtualization/v2 by its keys. */
export function reference(className: string, keys: Readonly<Record<string, string>>): CimReference {
  return { kind: 'reference', namespace: VIRTUALIZATION, className, keys };
}

/** An embedded instance to send: properties and their types are those of the class. */
export function settingsInstance<C extends WmiClassName>(
  className: C,
  properties: WmiClasses[C],
): CimInstance {
  return { kind: 'instance', namespace: VIRTUALIZATION, className, properties: { ...properties } };
}

const MANAGEMENT = serviceReference('Msvm_VirtualSystemManagementService');

/** A host's machines and their settings. Arrays go in one call; jobs are waited for. */
export class Machines {
  readonly #wire: HostWire;
  readonly #defaults = new Map<string, CimInstance>();

  constructor(wire: HostWire) {
    this.#wire = wire;
  }

  /** Realized machines with this ElementName: Hyper-V allows several. One query. */
  async findByName(name: string): Promise<readonly MachineHandle[]> {
    return this.#find(`ElementName=${wqlString(name)}`);
  }

  /** All realized machines. One query. */
  async list(): Promise<readonly MachineHandle[]> {
    return this.#find(undefined);
  }

  async #find(condition: string | undefined): Promise<readonly MachineHandle[]> {
    const where = `VirtualSystemType=${wqlString(REALIZED)}${condition === undefined ? '' : ` AND ${condition}`}`;
    const rows = await this.#wire.select('Msvm_VirtualSystemSettingData', HANDLE_PROPERTIES, where);
    return rows.map(({ properties }) => handleOf(properties));
  }

  /**
   * Msvm_VirtualSystemManagementService.DefineSystem. The answer names the new system as a rule; a host that leaves it out is asked for
   * machines of that name and note.
   */
  async define(
    settings: SystemSettings,
    resources: readonly CimInstance[],
    options: InvokeOptions = {},
  ): Promise<MachineHandle> {
    const { out } = await this.#wire.call(
      MANAGEMENT,
      'DefineSystem',
      {
        SystemSettings: settingsInstance('Msvm_VirtualSystemSettingData', settings),
        ...(resources.length === 0 ? {} : { ResourceSettings: resources }),
      },
      options,
    );
    const name = settings.ElementName ?? '';
    const notes = settings.Notes ?? [];
    const system = out['ResultingSystem'];
    const id = isCimReference(system) ? system.keys['Name'] : undefined;
    if (id !== undefined) {
      return {
        id: id.toUpperCase(),
        name,
        notes,
        system: systemReference(id),
        settings: settingsReference(id),
        dataRoot: settings.ConfigurationDataRoot ?? '',
      };
    }
    const found = (await this.findByName(name)).filter((machine) => machine.notes[0] === notes[0]);
    if (found.length === 1 && found[0] !== undefined) return found[0];
    throw new HyperVError(
      'HYPERV_UNEXPECTED',
      `DefineSystem on ${this.#wire.host} reported success, and there are ${found.length} machines named ${name}.`,
      {
        host: this.#wire.host,
        operation: 'Msvm_VirtualSystemManagementService.DefineSystem',
      },
    );
  }

  /** Adds resources in one call; references of the new settings in the order asked, or [] when the host told none. */
  async addResources(
    machine: MachineHandle,
    resources: readonly CimInstance[],
    options: InvokeOptions = {},
  ): Promise<readonly CimReference[]> {
    const { out } = await this.#wire.call(
      MANAGEMENT,
      'AddResourceSettings',
      { AffectedConfiguration: machine.settings, ResourceSettings: resources },
      { busyRetries: 5, ...options },
    );
    return references(out['ResultingResourceSettings']);
  }

  /** Each instance has the InstanceID of what it changes, and the properties to change. */
  async modifyResources(resources: readonly CimInstance[], options: InvokeOptions = {}): Promise<void> {
    await this.#wire.call(
      MANAGEMENT,
      'ModifyResourceSettings',
      { ResourceSettings: resources },
      { busyRetries: 5, ...options },
    );
  }

  /** Adds features to the switch port of one Ethernet connection. */
  async addFeatures(
    connection: CimReference,
    features: readonly CimInstance[],
    options: InvokeOptions = {},
  ): Promise<void> {
    await this.#wire.call(
      MANAGEMENT,
      'AddFeatureSettings',
      { AffectedConfiguration: connection, FeatureSettings: features },
      { busyRetries: 5, ...options },
    );
  }

  /** Each instance has the InstanceID of the feature to change, and the properties to change. */
  async modifyFeatures(features: readonly CimInstance[], options: InvokeOptions = {}): Promise<void> {
    await this.#wire.call(
      MANAGEMENT,
      'ModifyFeatureSettings',
      { FeatureSettings: features },
      { busyRetries: 5, ...options },
    );
  }

  async removeResources(resources: readonly CimReference[], options: InvokeOptions = {}): Promise<void> {
    await this.#wire.call(
      MANAGEMENT,
      'RemoveResourceSettings',
      { ResourceSettings: resources },
      { busyRetries: 5, ...options },
    );
  }

  /** Sends the properties to change and the InstanceID, nothing else: hosts refuse values of read-only properties. */
  async modifySettings(
    machine: MachineHandle,
    changes: SystemSettings,
    options: InvokeOptions = {},
  ): Promise<void> {
    const properties = { InstanceID: machine.settings.keys['InstanceID'] ?? '', ...changes };
    await this.#wire.call(
      MANAGEMENT,
      'ModifySystemSettings',
      { SystemSettings: settingsInstance('Msvm_VirtualSystemSettingData', properties) },
      { busyRetries: 5, ...options },
    );
  }

  /**
   * All settings of a machine: its own, those of its resources and of its switch ports. One query where the host answers queries of the
   * base class, else three at once.
   */
  async settingsOf(machine: Pick<MachineHandle, 'id'>): Promise<readonly CimInstance[]> {
    const where = `InstanceID LIKE ${wqlLikePrefix(`Microsoft:${machine.id}`)}`;
    const ask = async (className: string) =>
      (await this.#wire.query(`SELECT * FROM ${className} WHERE ${where}`)).map(({ instance }) => instance);
    const { shapes } = this.#wire;
    if (shapes.allows('settings-by-base-class')) {
      try {
        const all = await ask('CIM_SettingData');
        const has = (className: string) => all.some((instance) => instance.className === className);
        // Nothing at all: the machine is gone.
        if (all.length === 0 || (has('Msvm_VirtualSystemSettingData') && has('Msvm_MemorySettingData')))
          return all;
        shapes.refuse('settings-by-base-class', 'the answer lacks subclasses');
      } catch (error) {
        if (!isRefusal(error)) throw error;
        shapes.refuse('settings-by-base-class', error instanceof Error ? error.message : String(error));
      }
    }
    return (
      await Promise.all(
        ['Msvm_VirtualSystemSettingData', 'CIM_ResourceAllocationSettingData', PORT_SECURITY].map((name) =>
          ask(name),
        ),
      )
    ).flat();
  }

  /**
   * The host's own default object of a kind of resource: what kinds are made from whose properties are not all documented. One query,
   * the first time.
   */
  async defaultOf(className: string, subType: string): Promise<CimInstance> {
    const key = `${className} ${subType}`;
    const known = this.#defaults.get(key);
    if (known !== undefined) return known;
    const where = `InstanceID LIKE ${wqlLikeSuffix('\\Default')} AND ResourceSubType=${wqlString(subType)}`;
    const [found] = await this.#wire.query(`SELECT * FROM ${className} WHERE ${where}`);
    if (found === undefined) {
      throw new HyperVError(
        'HYPERV_UNEXPECTED',
        `${this.#wire.host} has no default ${className} of ${subType}: it does not offer such resources.`,
        { host: this.#wire.host },
      );
    }
    this.#defaults.set(key, found.instance);
    return found.instance;
  }

  /** The machine must be off or saved. Files stay. */
  async destroySystem(machine: Pick<MachineHandle, 'system'>, options: InvokeOptions = {}): Promise<void> {
    await this.#wire.call(MANAGEMENT, 'DestroySystem', { AffectedSystem: machine.system }, options);
  }
}

const HANDLE_PROPERTIES = [
  'InstanceID',
  'ElementName',
  'Notes',
  'VirtualSystemIdentifier',
  'VirtualSystemType',
  'ConfigurationDataRoot',
] as const;

function handleOf(row: Pick<SystemSettings, (typeof HANDLE_PROPERTIES)[number]>): MachineHandle {
  const instanceId = row.InstanceID ?? '';
  const id = (row.VirtualSystemIdentifier ?? instanceId.replace(/^Microsoft:/i, '')).toUpperCase();
  return {
    id,
    name: row.ElementName ?? '',
    notes: row.Notes ?? [],
    system: systemReference(id),
    settings: reference('Msvm_VirtualSystemSettingData', { InstanceID: instanceId }),
    dataRoot: row.ConfigurationDataRoot ?? '',
  };
}
