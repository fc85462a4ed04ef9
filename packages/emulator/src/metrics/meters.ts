import type { CimInstance } from '@nova-hyperv/wsman';
import { numberOf } from '../cim.js';
import type { IpBytes } from '../engine/engine.js';
import { idOf, resourcesOf } from '../machines/model.js';
import type { PortCounters } from './definitions.js';
import type { MetricElement } from './elements.js';

/** Values of Msvm_EthernetSwitchPortAclSettingData. */
const METER = 3;
const DIRECTION = { received: 1, sent: 2 } as const;
const ACL_TYPE = { ipv4: 2, ipv6: 3 } as const;

/** A port's traffic is measured by its metering ACLs: a direction of a protocol that none is for counts as 0. */
export function metered(element: MetricElement, port: PortCounters): PortCounters {
  const meters = metersOf(element);
  const only = (way: keyof PortCounters): IpBytes => ({
    ipv4: meters.some((acl) => isFor(acl, way, 'ipv4')) ? port[way].ipv4 : 0,
    ipv6: meters.some((acl) => isFor(acl, way, 'ipv6')) ? port[way].ipv6 : 0,
  });
  return { received: only('received'), sent: only('sent') };
}

/** Metering ACLs of the port that an element is; none of other elements. */
export function metersOf({ machine, key }: MetricElement): readonly CimInstance[] {
  return resourcesOf(machine).filter(
    (resource) =>
      resource.className === 'Msvm_EthernetSwitchPortAclSettingData' &&
      numberOf(resource.properties['Action']) === METER &&
      idOf(resource).toLowerCase().startsWith(`${key}\\`),
  );
}

function isFor({ properties }: CimInstance, way: keyof PortCounters, protocol: keyof IpBytes): boolean {
  return (
    numberOf(properties['Direction']) === DIRECTION[way] &&
    numberOf(properties['AclType']) === ACL_TYPE[protocol]
  );
}
