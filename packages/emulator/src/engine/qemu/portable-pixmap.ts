import { EngineError } from '../engine.js';
import type { Screen } from '../engine.js';

/** Of a screen: what no display adapter exceeds. */
const MOST_PIXELS = 8192 * 8192;
const HEADER = /^P6\s+(\d{1,5})\s+(\d{1,5})\s+255\s/;
const HEADER_BYTES = 32;
const BYTES_PER_PIXEL = 3;

/** Reads a binary PPM of 8 bits a colour, as QEMU's screendump writes it. @throws EngineError FAILED */
export function readPixmap(file: Uint8Array): Screen {
  const header = HEADER.exec(Buffer.from(file.subarray(0, HEADER_BYTES)).toString('latin1'));
  const [width, height] = [Number(header?.[1]), Number(header?.[2])];
  const pixels = width * height;
  if (header === null || pixels === 0 || pixels > MOST_PIXELS)
    throw new EngineError('FAILED', 'QEMU has written no picture of the screen that can be read.');
  const rgb = file.subarray(header[0].length, header[0].length + pixels * BYTES_PER_PIXEL);
  if (rgb.length < pixels * BYTES_PER_PIXEL)
    throw new EngineError('FAILED', 'The picture of the screen ends before its last pixel.');
  return { width, height, rgb };
}
