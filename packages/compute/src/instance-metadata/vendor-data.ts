import { readFile, stat } from 'node:fs/promises';
import { ComputeError } from '../errors.js';

const MAX_BYTES = 1024 * 1024;

/**
 * What [api] vendordata_jsonfile_path holds: told to every guest. Nothing without a path.
 * @throws ComputeError InvalidConfiguration
 */
export async function readVendorData(path: string): Promise<Readonly<Record<string, unknown>>> {
  if (path === '') return {};
  try {
    const { size } = await stat(path);
    if (size > MAX_BYTES) throw new Error(`it has ${size} bytes, and at most ${MAX_BYTES} are read`);
    const data: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (isObject(data)) return data;
    throw new Error('it is not a JSON object');
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ComputeError(
      'InvalidConfiguration',
      `The file of [api] vendordata_jsonfile_path, ${path}, cannot be used: ${why}.`,
      { cause: error },
    );
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
