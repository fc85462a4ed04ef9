/** Cylinders, heads and sectors per track, as the VHD footer tells them to guests with old firmware. */
export interface ChsGeometry {
  readonly cylinders: number;
  readonly heads: number;
  readonly sectorsPerTrack: number;
}

/** Largest number of sectors that the geometry can express. */
const MAX_SECTORS = 65535 * 16 * 255;

/** The calculation of the VHD image format specification, appendix "CHS Calculation". `size` in bytes. */
export function chsGeometry(size: number): ChsGeometry {
  const sectors = Math.min(Math.floor(size / 512), MAX_SECTORS);
  if (sectors >= 65535 * 16 * 63) return geometry(sectors, 16, 255);
  const small = Math.max(4, Math.ceil(Math.floor(sectors / 17) / 1024));
  if (small <= 16 && Math.floor(sectors / 17) < small * 1024) return geometry(sectors, small, 17);
  if (Math.floor(sectors / 31) < 16 * 1024) return geometry(sectors, 16, 31);
  return geometry(sectors, 16, 63);
}

function geometry(sectors: number, heads: number, sectorsPerTrack: number): ChsGeometry {
  return { cylinders: Math.floor(sectors / sectorsPerTrack / heads), heads, sectorsPerTrack };
}
