import type { Logger } from 'pino';
import type { DiskClaims } from '../disk-claims.js';
import type { ResolvePath } from '../open-drive.js';
import type { SwitchFabric } from '../virtual-switch.js';
import type { QemuFacts } from './detect.js';
import type { RunRecords } from './run-record.js';

/** What all machines of one engine share. */
export interface EngineContext {
  readonly facts: QemuFacts;
  readonly claims: DiskClaims;
  readonly fabric: SwitchFabric;
  readonly records: RunRecords;
  /** Folder with one folder of sockets for each running machine. */
  readonly runtimeFolder: string;
  readonly pipesFolder: string;
  readonly resolvePath: ResolvePath;
  readonly log: Logger;
}
