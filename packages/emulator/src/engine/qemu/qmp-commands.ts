/** A JSON object as QMP takes it (QEMU, "QMP Reference Manual"). */
export type QmpObject = { readonly [key: string]: QmpValue };
export type QmpValue = string | number | boolean | null | QmpObject | readonly QmpValue[];

/** The commands that the engine uses, with their arguments; undefined: it takes none. */
export interface QmpCommands {
  qmp_capabilities: undefined;
  'query-status': undefined;
  'query-blockstats': undefined;
  'query-named-block-nodes': { flat: boolean };
  'qom-list': { path: string };
  'qom-set': { path: string; property: string; value: QmpValue };
  cont: undefined;
  stop: undefined;
  quit: undefined;
  system_reset: undefined;
  system_powerdown: undefined;
  set_link: { name: string; up: boolean };
  screendump: { filename: string; format: 'ppm' };
  'object-add': QmpObject;
  'object-del': { id: string };
  'blockdev-add': QmpObject;
  'blockdev-del': { 'node-name': string };
  'blockdev-reopen': { options: readonly QmpObject[] };
  block_resize: { 'node-name': string; size: number };
  'blockdev-open-tray': { id: string; force: boolean };
  'blockdev-close-tray': { id: string };
  'blockdev-insert-medium': { id: string; 'node-name': string };
  'blockdev-remove-medium': { id: string };
  device_add: QmpObject;
  device_del: { id: string };
  netdev_add: QmpObject;
  netdev_del: { id: string };
}

export type QmpCommand = keyof QmpCommands;

export interface QmpEvent {
  readonly name: string;
  readonly data: Readonly<Partial<Record<string, unknown>>>;
}
