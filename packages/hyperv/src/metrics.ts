import type { CimReference } from '@nova-hyperv/wsman';
import { HyperVError } from './errors.js';
import { serviceReference } from './machines.js';
import { text } from './read.js';
import type { HostWire, InvokeOptions } from './wire.js';

/**
 * Metrics by the ElementName of their definitions, as Windows in English has them. Values are whole numbers of MHz, MB, microseconds,
 * and I/O operations of 8 KiB each second.
 */
export const METRIC = {
  cpu: 'Aggregated Average CPU Utilization',
  memory: 'Aggregated Average Memory Utilization',
  diskRead: 'Disk Data Read',
  diskWritten: 'Disk Data Written',
  diskLatency: 'Average Disk Latency',
  diskThroughput: 'Average Normalized Disk Throughput',
  trafficIn: 'Filtered Incoming Network Traffic',
  trafficOut: 'Filtered Outgoing Network Traffic',
} as const;

export type MetricName = (typeof METRIC)[keyof typeof METRIC];

/** What metrics of an element say, of those that are collected and have a value. */
export type MetricValues = Partial<Record<keyof typeof METRIC, number>>;

interface Definition {
  readonly id: string;
  readonly reference: CimReference;
}

const SERVICE = serviceReference('Msvm_MetricService');
/** MetricCollectionEnabled of ControlMetrics. */
const ENABLE = 2;

/** Metrics of a host's machines (`Msvm_MetricService`). The definitions are read once for each connection. */
export class Metrics {
  readonly #wire: HostWire;
  #definitions: Promise<ReadonlyMap<string, Definition>> | undefined;

  constructor(wire: HostWire) {
    this.#wire = wire;
  }

  /**
   * Turns on metrics of an element: those named, or all that it has. A machine's are lost when it goes off. A host that has not
   * all of the names (Windows in another language) collects all metrics of the element instead.
   */
  async enable(
    element: CimReference,
    names: readonly MetricName[] | 'all',
    options: InvokeOptions = {},
  ): Promise<void> {
    const definitions = names === 'all' ? [] : await this.#named(names);
    const wanted = definitions.length === 0 ? [undefined] : definitions;
    await Promise.all(
      wanted.map((definition) =>
        this.#wire.call(
          SERVICE,
          'ControlMetrics',
          {
            Subject: element,
            ...(definition === undefined ? {} : { Definition: definition.reference }),
            MetricCollectionEnabled: ENABLE,
          },
          options,
        ),
      ),
    );
  }

  /** One query; nothing of what is not collected, and nothing at all while the machine is off. */
  async values(element: CimReference): Promise<MetricValues> {
    const [definitions, found] = await Promise.all([
      this.#all(),
      this.#wire.client.associators(element, { associationClass: 'Msvm_MetricForME' }),
    ]);
    const values: { -readonly [K in keyof MetricValues]: MetricValues[K] } = {};
    for (const { instance } of found) {
      const id = text(instance, 'MetricDefinitionId');
      const name = keyNames().find((key) => definitions.get(METRIC[key])?.id === id);
      const value = Number(text(instance, 'MetricValue') || 'none');
      if (name !== undefined && Number.isFinite(value)) values[name] = value;
    }
    return values;
  }

  /** None when one is missing. */
  async #named(names: readonly MetricName[]): Promise<readonly Definition[]> {
    const all = await this.#all();
    const found = names.map((name) => all.get(name)).filter((definition) => definition !== undefined);
    return found.length === names.length ? found : [];
  }

  #all(): Promise<ReadonlyMap<string, Definition>> {
    this.#definitions ??= this.#read();
    return this.#definitions;
  }

  async #read(): Promise<ReadonlyMap<string, Definition>> {
    try {
      const rows = await this.#wire.query('SELECT * FROM CIM_BaseMetricDefinition');
      if (rows.length === 0)
        throw new HyperVError('HYPERV_UNEXPECTED', `${this.#wire.host} has no definitions of metrics.`, {
          host: this.#wire.host,
        });
      return new Map(
        rows.map(({ instance, reference }) => [
          text(instance, 'ElementName'),
          { id: text(instance, 'Id'), reference },
        ]),
      );
    } catch (error) {
      this.#definitions = undefined;
      throw error;
    }
  }
}

function keyNames(): readonly (keyof typeof METRIC)[] {
  return [
    'cpu',
    'memory',
    'diskRead',
    'diskWritten',
    'diskLatency',
    'diskThroughput',
    'trafficIn',
    'trafficOut',
  ];
}
