import { DriverError } from '../errors.js';
import type { ImageMeta } from '../types.js';
import type { SerialPortSpec } from './vm-spec.js';

const PIPE_PREFIX = '\\\\.\\pipe\\';

/** Nothing is connected. */
export const NO_SERIAL_PORTS: readonly [SerialPortSpec, SerialPortSpec] = [
  { number: 1, pipe: null },
  { number: 2, pipe: null },
];

/** Names of an instance's pipes after `\\.\pipe\`; the log is read from the first that is there. */
export function consolePipeNames(instanceUuid: string): readonly [readOnly: string, readWrite: string] {
  return [`${instanceUuid}_ro`, `${instanceUuid}_rw`];
}

/**
 * logging_serial_port is the read-only console, interactive_serial_port the read-write one. Each is 1 unless the image says
 * otherwise; where both are the same port, read-write wins.
 */
export function serialPorts(
  image: ImageMeta,
  instanceUuid: string,
): readonly [SerialPortSpec, SerialPortSpec] {
  const logging = portNumber(image, 'logging_serial_port');
  const interactive = portNumber(image, 'interactive_serial_port');
  const [readOnly, readWrite] = consolePipeNames(instanceUuid);
  const pipeOf = (number: 1 | 2): string | null => {
    if (interactive === number) return PIPE_PREFIX + readWrite;
    return logging === number ? PIPE_PREFIX + readOnly : null;
  };
  return [
    { number: 1, pipe: pipeOf(1) },
    { number: 2, pipe: pipeOf(2) },
  ];
}

function portNumber(image: ImageMeta, property: string): 1 | 2 {
  const text = image.properties[property] ?? '1';
  if (text === '1') return 1;
  if (text === '2') return 2;
  throw new DriverError(
    'ImageSerialPortNumberInvalid',
    `Image ${image.id} has ${property}=${text}. A Hyper-V machine has two serial ports: use 1 or 2.`,
  );
}
