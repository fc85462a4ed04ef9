import { Option, type Command } from 'commander';
import { parseSize } from './size.js';

/** How the inside of a new disk is laid out. Sizes in bytes. */
export interface ShapeFlags {
  readonly blockSize?: number;
  readonly logicalSectorSize?: number;
  readonly physicalSectorSize?: number;
}

export function addShapeOptions(command: Command): Command {
  return command
    .option('--block-size <size>', 'VHDX: 1M to 256M (32M; differencing 2M); VHD: 512K or 2M (2M)', parseSize)
    .addOption(sectorOption('--logical-sector-size <bytes>', 'VHDX only, default 512'))
    .addOption(sectorOption('--physical-sector-size <bytes>', 'VHDX only, default 4096'));
}

function sectorOption(flags: string, description: string): Option {
  return new Option(flags, `512 or 4096; ${description}`).argParser(parseSize);
}

/** Only what was said: what is left out is the library's default. */
export function shapeOf(flags: ShapeFlags): ShapeFlags {
  const { blockSize, logicalSectorSize, physicalSectorSize } = flags;
  return {
    ...(blockSize === undefined ? {} : { blockSize }),
    ...(logicalSectorSize === undefined ? {} : { logicalSectorSize }),
    ...(physicalSectorSize === undefined ? {} : { physicalSectorSize }),
  };
}
