import { requireAdmin, type Call, type Route } from '../api/call.js';
import type { NovaConfig } from '../config.js';
import { novaTime } from '../api/times.js';
import type { Nova } from '../deps.js';
import { isUp, listServices, type ServiceView } from '../store/service-store.js';

/** Compute hosts are in the default zone, since there are no aggregates; other services in the internal one. */
export function zoneOf(service: Pick<ServiceView, 'binary'>, config: NovaConfig): string {
  return service.binary === 'nova-compute' ? config.defaultAvailabilityZone : config.internalAvailabilityZone;
}

interface Zone {
  readonly name: string;
  readonly services: readonly ServiceView[];
}

/** A zone is available when one of its services is enabled. nova/availability_zones.py */
const isAvailable = (zone: Zone): boolean => zone.services.some((service) => !service.disabled);

async function zonesOf(nova: Nova): Promise<readonly Zone[]> {
  const services = await listServices(nova.db);
  const names = [nova.config.internalAvailabilityZone, nova.config.defaultAvailabilityZone];
  const zones = names.map((name) => ({
    name,
    services: services.filter((service) => zoneOf(service, nova.config) === name),
  }));
  return zones.filter((zone) => zone.services.length > 0);
}

function hostsOf(nova: Nova, zone: Zone): object {
  const hosts: Record<string, Record<string, object>> = {};
  for (const service of zone.services) {
    if (service.disabled) continue;
    hosts[service.host] = {
      ...hosts[service.host],
      [service.binary]: {
        available: isUp(service, nova.now(), nova.config.serviceDownTimeS),
        active: true,
        updated_at: novaTime(service.lastSeenUp),
      },
    };
  }
  return hosts;
}

async function list(nova: Nova, call: Call, detailed: boolean): Promise<object> {
  if (detailed) requireAdmin(call.context, 'os-availability-zone:detail');
  const zones = (await zonesOf(nova)).filter(
    (zone) => detailed || zone.name !== nova.config.internalAvailabilityZone,
  );
  return {
    availabilityZoneInfo: zones.map((zone) => ({
      zoneName: zone.name,
      zoneState: { available: isAvailable(zone) },
      hosts: detailed && isAvailable(zone) ? hostsOf(nova, zone) : null,
    })),
  };
}

export function registerZones(route: Route, nova: Nova): void {
  route('GET', '/os-availability-zone', (call) => list(nova, call, false));
  route('GET', '/os-availability-zone/detail', (call) => list(nova, call, true));
}
