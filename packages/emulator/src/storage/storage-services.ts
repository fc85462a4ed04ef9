import type { FibreChannelOption } from '../options.js';
import type { MethodTable } from '../methods.js';
import type { Associations } from '../store/associations.js';
import type { ObjectStore } from '../store/store.js';
import { diskMethods, diskSources, settingMethods } from './disk-classes.js';
import type { StorageContext } from './disk-classes.js';
import { fibreMethods, fibreSources } from './fibre-classes.js';
import {
  initiatorAssociations,
  initiatorPortMethods,
  initiatorSources,
  portalMethods,
  serviceMethods,
  sessionMethods,
  targetMethods,
} from './initiator-classes.js';

/** Everything of Windows' storage side that WMI shows. */
export function publishStorage(
  context: StorageContext,
  fibreChannel: FibreChannelOption | undefined,
  to: { store: ObjectStore; associations: Associations },
): void {
  const sources = [
    ...diskSources(context),
    ...initiatorSources(context),
    ...fibreSources(fibreChannel, context),
  ];
  for (const source of sources) to.store.addSource(source);
  for (const source of initiatorAssociations(context)) to.associations.add(source);
}

export function addStorageMethods(
  methods: MethodTable,
  context: StorageContext,
  fibreChannel: FibreChannelOption | undefined,
): void {
  methods.add('MSFT_Disk', diskMethods(context));
  methods.add('MSFT_StorageSetting', settingMethods(context));
  methods.add('MSFT_iSCSITargetPortal', portalMethods(context));
  methods.add('MSFT_iSCSITarget', targetMethods(context));
  methods.add('MSFT_iSCSISession', sessionMethods(context));
  methods.add('MSFT_InitiatorPort', initiatorPortMethods(context));
  methods.add('Win32_Service', serviceMethods(context));
  methods.add('MSFC_HBAFCPInfo', fibreMethods(fibreChannel, context));
}
