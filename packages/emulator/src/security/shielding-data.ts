/** What emulated hosts take for a shielding data file (PDK). Microsoft's own format is not public. */
const FILE_FORMAT = 'nova-hyperv shielding data 1';
const PROTECTOR_FORMAT = 'nova-hyperv key protector 1';
const LARGEST_FILE = 4 * 1024 * 1024;

/** The guardian of all guarded emulated hosts: their host guardian service. */
export const FABRIC_GUARDIAN = 'emulated-fabric';

export interface ShieldingData {
  readonly keyProtector: Buffer;
  readonly policy: Buffer;
}

/**
 * A shielding data file whose machines start on hosts of these guardians; by default on every emulated host that is
 * guarded.
 */
export function newShieldingData(guardians: readonly string[] = [FABRIC_GUARDIAN]): Uint8Array {
  return Buffer.from(
    `${JSON.stringify({
      format: FILE_FORMAT,
      keyProtector: encoded({ format: PROTECTOR_FORMAT, guardians }),
      policy: encoded({ format: 'nova-hyperv security policy 1' }),
    })}\n`,
  );
}

const encoded = (content: object): string => Buffer.from(JSON.stringify(content)).toString('base64');

/** undefined when it is no shielding data file of an emulated host. */
export function readShieldingData(file: Buffer): ShieldingData | undefined {
  if (file.length > LARGEST_FILE) return undefined;
  const content = parsed(file);
  if (content?.['format'] !== FILE_FORMAT) return undefined;
  const [keyProtector, policy] = [content['keyProtector'], content['policy']];
  if (typeof keyProtector !== 'string' || typeof policy !== 'string') return undefined;
  return { keyProtector: Buffer.from(keyProtector, 'base64'), policy: Buffer.from(policy, 'base64') };
}

/** Who can unwrap a key protector; nobody when it is none of an emulated host's. */
export function guardiansOf(keyProtector: Buffer): readonly string[] {
  const content = parsed(keyProtector);
  const guardians = content?.['format'] === PROTECTOR_FORMAT ? content['guardians'] : undefined;
  return Array.isArray(guardians) ? guardians.filter((one) => typeof one === 'string') : [];
}

function parsed(bytes: Buffer): Readonly<Record<string, unknown>> | undefined {
  try {
    const content: unknown = JSON.parse(bytes.toString('utf8'));
    return typeof content === 'object' && content !== null ? { ...content } : undefined;
  } catch {
    return undefined;
  }
}
