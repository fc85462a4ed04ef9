import type { CimInstance, CimReference } from '@nova-hyperv/wsman';
import { CIMV2 } from './names.js';
import { instances, numeric, text } from './read.js';
import type { HostWire } from './wire.js';

/** A PCI Express device that the host has given up, so that machines can have it (Msvm_PciExpress). */
export interface AssignableDevice {
  /** SystemName and DeviceID: with the class, the object's address. */
  readonly systemName: string;
  readonly deviceId: string;
  readonly instancePath: string;
  readonly locationPath: string;
  /** Four lower-case hexadecimal digits; '' when the instance path does not tell. */
  readonly vendorId: string;
  readonly productId: string;
  /** `0000:03:00.0`; undefined when the host does not tell where the device sits. */
  readonly address: string | undefined;
  /** A machine has it, running or not. */
  readonly inUse: boolean;
}

const VENDOR = /VEN_([0-9A-F]{4})/i;
const PRODUCT = /DEV_([0-9A-F]{4})/i;

/** Reads the host's assignable devices. What a device's address is does not change, and is asked for once. */
export class AssignableDevices {
  readonly #wire: HostWire;
  readonly #addresses = new Map<string, string>();

  constructor(wire: HostWire) {
    this.#wire = wire;
  }

  /** One query, and a call for each device that is new. A device that a machine has is listed twice, with the same location path. */
  async list(): Promise<readonly AssignableDevice[]> {
    const rows = (await this.#wire.query('SELECT * FROM Msvm_PciExpress')).map(({ instance }) => instance);
    const places = new Map<string, CimInstance[]>();
    for (const row of rows) {
      const place = text(row, 'LocationPath').toLowerCase();
      places.set(place, [...(places.get(place) ?? []), row]);
    }
    return Promise.all(
      [...places.values()].map(async (same) => {
        const own = same.find((row) => sameName(text(row, 'SystemName'), this.#wire.host)) ?? same[0]!;
        const instancePath = text(own, 'DeviceInstancePath');
        return {
          systemName: text(own, 'SystemName'),
          deviceId: text(own, 'DeviceID'),
          instancePath,
          locationPath: text(own, 'LocationPath'),
          vendorId: (VENDOR.exec(instancePath)?.[1] ?? '').toLowerCase(),
          productId: (PRODUCT.exec(instancePath)?.[1] ?? '').toLowerCase(),
          address: await this.#addressOf(instancePath),
          inUse: same.length > 1,
        };
      }),
    );
  }

  async #addressOf(instancePath: string): Promise<string | undefined> {
    const known = this.#addresses.get(instancePath);
    if (known !== undefined) return known;
    const address = await this.#readAddress(instancePath);
    if (address !== undefined) this.#addresses.set(instancePath, address);
    return address;
  }

  /** Win32_PnPEntity.GetDeviceProperties; a host that does not answer has devices without addresses. */
  async #readAddress(instancePath: string): Promise<string | undefined> {
    const entity: CimReference = {
      kind: 'reference',
      namespace: CIMV2,
      className: 'Win32_PnPEntity',
      keys: { DeviceID: instancePath },
    };
    try {
      const { returnValue, out } = await this.#wire.client.invoke(entity, 'GetDeviceProperties', {});
      if (returnValue !== 0) return undefined;
      const properties = new Map(
        instances(out['deviceProperties']).map((property) => [text(property, 'KeyName'), property]),
      );
      const bus = properties.get('DEVPKEY_Device_BusNumber');
      const place = properties.get('DEVPKEY_Device_Address');
      if (bus !== undefined && place !== undefined) {
        const address = numeric(place, 'Data');
        return addressText(numeric(bus, 'Data'), address >>> 16, address & 0xffff);
      }
      const location = properties.get('DEVPKEY_Device_LocationInfo');
      return location === undefined ? undefined : addressOfLocation(text(location, 'Data'));
    } catch {
      return undefined;
    }
  }
}

/** `PCI bus 3, device 0, function 0`, in whatever language: bus, device, function. */
export function addressOfLocation(location: string): string | undefined {
  const numbers = location.match(/\d+/g)?.map(Number) ?? [];
  const [bus, device, part] = numbers;
  if (numbers.length !== 3 || bus === undefined || device === undefined || part === undefined)
    return undefined;
  return addressText(bus, device, part);
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0');
}

function addressText(bus: number, device: number, part: number): string | undefined {
  if (bus > 0xff || device > 0x1f || part > 7) return undefined;
  return `0000:${hex(bus, 2)}:${hex(device, 2)}.${part.toString(16)}`;
}

function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
