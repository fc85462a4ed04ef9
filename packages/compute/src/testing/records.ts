import { randomUUID } from 'node:crypto';
import { POWER_STATE } from '@nova-hyperv/driver';
import type { InstanceRecord } from '../ports.js';

let lastId = 0;

/** An instance as the scheduler hands it to a compute service. */
export function instanceRecord(changes: Partial<InstanceRecord> = {}): InstanceRecord {
  lastId += 1;
  return {
    uuid: randomUUID(),
    id: lastId,
    name: `instance-${lastId.toString(16).padStart(8, '0')}`,
    displayName: 'vm',
    displayDescription: null,
    hostname: 'vm',
    userId: 'u1',
    projectId: 'p1',
    vmState: 'building',
    taskState: 'scheduling',
    powerState: POWER_STATE.NOSTATE,
    host: null,
    node: null,
    imageRef: 'image-1',
    flavor: {
      flavorId: '1',
      name: 'm1.tiny',
      vcpus: 1,
      memoryMb: 512,
      rootGb: 1,
      ephemeralGb: 0,
      swapMb: 0,
      extraSpecs: {},
    },
    oldFlavor: null,
    newFlavor: null,
    ephemeralsGb: [],
    keyName: null,
    keyData: null,
    userData: null,
    configDrive: false,
    availabilityZone: null,
    metadata: {},
    systemMetadata: {},
    networkInfo: [],
    deviceMetadata: [],
    pciDevices: [],
    reservationId: 'r-1',
    launchIndex: 0,
    createdAt: new Date(0),
    updatedAt: null,
    launchedAt: null,
    terminatedAt: null,
    deleted: false,
    ...changes,
  };
}
