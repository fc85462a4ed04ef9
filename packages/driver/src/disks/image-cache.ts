import { readdir, stat, utimes } from 'node:fs/promises';
import { hasCode, joinHostPath } from '@nova-hyperv/hyperv';
import type { HyperVHost } from '@nova-hyperv/hyperv';
import { checkWhole, inspect, recogniseFile } from '@nova-hyperv/vhd';
import type { Logger } from 'pino';
import type { DriverConfig } from '../config.js';
import { DriverError } from '../errors.js';
import { KeyedLock } from '../keyed-lock.js';
import { refuseDifferencing } from '../plan/disks.js';
import type { ResizedBase, RootFormat } from '../plan/disks.js';
import type { BaseImage } from '../plan/input.js';
import { Stopwatch } from '../stopwatch.js';
import type { ImageMeta, ImageSource } from '../types.js';
import { mayBeParent, readBaseUse } from './base-use.js';
import type { BaseUse } from './base-use.js';
import { copyToNew, publish, removeFile } from './files.js';
import { isMissing } from './instance-folder.js';

const EXTENSIONS = ['vhd', 'vhdx', 'iso'] as const;
/** `<image id>.<ext>` and `<image id>_<GB>.vhd` */
const CACHED = /^(?<id>[0-9A-Za-z-]+?)(?:_\d+)?\.(?:vhd|vhdx|iso)$/;
const IMAGE_ID = /^[0-9A-Za-z-]{1,64}$/;

export interface CacheOptions {
  readonly signal?: AbortSignal | undefined;
  /** UUID of the instance that the image is for, for the log. */
  readonly instance?: string;
}

/**
 * Base images in `<instances_path>\<subdirectory_name>`. A file that has its final name is whole and checked; unfinished ones begin with a dot and
 * this node's name. One download at a time for each image.
 */
export class ImageCache {
  readonly #host: HyperVHost;
  readonly #config: DriverConfig;
  readonly #node: string;
  readonly #log: Logger;
  readonly #locks = new KeyedLock();
  readonly #held = new Map<string, number>();

  constructor(host: HyperVHost, config: DriverConfig, node: string, log: Logger) {
    this.#host = host;
    this.#config = config;
    this.#node = node.replaceAll(/[^0-9A-Za-z-]/g, '-');
    this.#log = log;
  }

  #path(name: string): string {
    return joinHostPath(this.#config.instancesPath, this.#config.imageCacheSubdirectory, name);
  }

  #local(name: string): string {
    return this.#host.reach.local(this.#path(name));
  }

  /** Keeps {@link manage} from removing the image's files until the returned function is called: a child is about to be made of them. */
  hold(imageId: string): () => void {
    this.#held.set(imageId, (this.#held.get(imageId) ?? 0) + 1);
    return () => {
      const left = (this.#held.get(imageId) ?? 1) - 1;
      if (left > 0) this.#held.set(imageId, left);
      else this.#held.delete(imageId);
    };
  }

  /** The image's base, fetched when it is not here. */
  async ensure(
    image: ImageMeta,
    format: RootFormat,
    source: ImageSource,
    options: CacheOptions = {},
  ): Promise<BaseImage> {
    if (!IMAGE_ID.test(image.id)) {
      throw new DriverError(
        'ImageUnacceptable',
        `The image id ${JSON.stringify(image.id)} cannot name a file.`,
      );
    }
    return this.#locks.run(image.id, async () => {
      options.signal?.throwIfAborted();
      return (await this.#cached(image)) ?? this.#fetch(image, format, source, options);
    });
  }

  async #cached(image: ImageMeta): Promise<BaseImage | undefined> {
    for (const extension of EXTENSIONS) {
      const name = `${image.id}.${extension}`;
      if (!(await this.#touch(name))) continue;
      const path = this.#path(name);
      try {
        await refuseTruncated(image, this.#local(name));
        if (extension === 'iso') return { kind: 'iso', path };
        return { kind: 'disk', path, info: await inspect(this.#local(name)) };
      } catch (error) {
        if (!isDamage(error)) throw error;
        await this.#removeDamaged(name, error);
      }
    }
    return undefined;
  }

  /** A base that disks of instances may need is never replaced: a person has to look. */
  async #removeDamaged(name: string, damage: Error): Promise<void> {
    const use = await this.#baseUse();
    if (mayBeParent(use, name)) {
      const who = use.unread[0] ?? 'disks of instances on this host';
      throw new DriverError(
        'NovaException',
        `The cached image ${this.#path(name)} is damaged (${messageWithout(damage, this.#local(name), 'it')}) and cannot be fetched again while it may be the parent of ${who}. ` +
          `Put the undamaged file back, or remove those instances first.`,
        { cause: damage },
      );
    }
    this.#log.warn({ err: damage, file: name }, `The cached image ${name} is damaged and is made again`);
    await removeFile(this.#local(name));
  }

  #baseUse(): Promise<BaseUse> {
    return readBaseUse(
      this.#host.reach.local(this.#config.instancesPath),
      this.#config.imageCacheSubdirectory,
    );
  }

  /** The time of last use is the file's own. */
  async #touch(name: string): Promise<boolean> {
    try {
      const now = new Date();
      await utimes(this.#local(name), now, now);
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  async #fetch(
    image: ImageMeta,
    format: RootFormat,
    source: ImageSource,
    { instance, signal }: CacheOptions,
  ): Promise<BaseImage> {
    const temporary = this.#local(this.#temporaryName(image.id));
    const watch = new Stopwatch();
    const log = instance === undefined ? this.#log : this.#log.child({ instance });
    log.info({ image: image.id, bytes: image.sizeBytes }, `Fetching image ${image.id} into the cache`);
    await removeFile(temporary);
    try {
      await source.download(image.id, temporary, signal === undefined ? {} : { signal });
      const extension = await checkContent(image, format, temporary, signal);
      const name = `${image.id}.${extension}`;
      await publish(temporary, this.#local(name));
      log.info({ image: image.id, file: name }, `Fetching image ${image.id} took ${watch.seconds()} seconds`);
      const path = this.#path(name);
      return extension === 'iso'
        ? { kind: 'iso', path }
        : { kind: 'disk', path, info: await inspect(this.#local(name)) };
    } catch (error) {
      await removeFile(temporary);
      throw error;
    }
  }

  #temporaryName(stem: string, extension = 'part'): string {
    return `.${stem}.${this.#node}.${extension}`;
  }

  /** The second base of a VHD image: a copy with the flavor's size. */
  async ensureResized(wanted: ResizedBase, options: CacheOptions = {}): Promise<void> {
    const name = wanted.path.slice(wanted.path.lastIndexOf('\\') + 1);
    await this.#locks.run(name, async () => {
      options.signal?.throwIfAborted();
      if ((await this.#touch(name)) && (await this.#isUsableResized(name, wanted))) return;
      // The host resizes files by their extension only.
      const temporaryName = this.#temporaryName(name.replace(/\.vhd$/, ''), 'part.vhd');
      const temporary = this.#local(temporaryName);
      try {
        await removeFile(temporary);
        await copyToNew(this.#host.reach.local(wanted.source), temporary);
        const { signal } = options;
        await this.#host.disks.resize(
          this.#path(temporaryName),
          wanted.sizeBytes,
          signal === undefined ? {} : { signal },
        );
        await publish(temporary, this.#local(name));
      } catch (error) {
        await removeFile(temporary);
        throw error;
      }
    });
  }

  /** Another driver's rounding may have given it a slightly different size: while disks need it, it stays and is good enough. */
  async #isUsableResized(name: string, wanted: ResizedBase): Promise<boolean> {
    let virtualSize: number;
    try {
      ({ virtualSize } = await inspect(this.#local(name)));
    } catch (error) {
      if (!isDamage(error)) throw error;
      await this.#removeDamaged(name, error);
      return false;
    }
    if (virtualSize === wanted.sizeBytes) return true;
    if (mayBeParent(await this.#baseUse(), name)) {
      this.#log.warn(
        { file: name, virtualSize, wanted: wanted.sizeBytes },
        `The resized image ${name} has another size than its flavor gives and stays, because disks may need it`,
      );
      return true;
    }
    await removeFile(this.#local(name));
    return false;
  }

  /** Files whose making was cut short by the end of an earlier process of this node. */
  async removeUnfinished(): Promise<readonly string[]> {
    const mine = new RegExp(`^\\..+\\.${this.#node}\\.part(?:\\.vhd)?$`);
    const names = (await this.#names()).filter((name) => mine.test(name));
    for (const name of names) await removeFile(this.#local(name));
    return names;
  }

  /**
   * Touches what is used; removes what has not been for long enough. What the caller knows of use is not all: a base whose child is on
   * the host stays, whoever's the child is.
   */
  async manage(usedImageIds: ReadonlySet<string>): Promise<void> {
    const oldest = Date.now() - this.#config.removeUnusedOriginalMinimumAgeSeconds * 1000;
    let scan: { readonly at: number; readonly use: BaseUse } | undefined;
    for (const name of await this.#names()) {
      const id = CACHED.exec(name)?.groups?.['id'];
      if (id === undefined) continue;
      await this.#locks.run(id, async () => {
        if (usedImageIds.has(id)) {
          await this.#touch(name);
          return;
        }
        if (!this.#config.removeUnusedBaseImages || !(await this.#isOlder(name, oldest))) return;
        // What was touched after the scan has a child that the scan did not see.
        scan ??= { at: Date.now(), use: await this.#baseUse() };
        const { at, use } = scan;
        if (use.unread.length > 0) {
          this.#log.warn(
            { file: name, disks: use.unread.slice(0, 3) },
            `The unused image ${name} stays: ${use.unread.length} disks below instances_path cannot be read to see what their parents are`,
          );
        } else if (mayBeParent(use, name)) {
          await this.#touch(name);
        } else if (!this.#held.has(id) && (await this.#isOlder(name, at))) {
          await removeFile(this.#local(name));
          this.#log.info({ image: id, file: name }, `Removed the cached image ${name}: no longer used`);
        }
      });
    }
  }

  async #isOlder(name: string, than: number): Promise<boolean> {
    const { mtimeMs } = await stat(this.#local(name));
    return mtimeMs <= than;
  }

  async #names(): Promise<readonly string[]> {
    return readdir(
      this.#host.reach.local(joinHostPath(this.#config.instancesPath, this.#config.imageCacheSubdirectory)),
    );
  }
}

/** A cached file is what Glance gave, byte for byte: a shorter one has lost its end. */
async function refuseTruncated(image: ImageMeta, file: string): Promise<void> {
  const { size } = await stat(file);
  if (size >= image.sizeBytes) return;
  throw new TruncatedError(`it has ${size} bytes instead of ${image.sizeBytes}`);
}

class TruncatedError extends Error {
  readonly code = 'TRUNCATED';
}

function isDamage(error: unknown): error is Error {
  return error instanceof Error && hasCode(error, 'TRUNCATED', 'VHD_CORRUPT', 'VHD_UNKNOWN_FORMAT');
}

/** Users and other hosts know nothing of this machine's paths. */
function messageWithout(error: unknown, localPath: string, shown: string): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll(localPath, shown);
}

/** What the file is by its content; refuses what is not what it says, and what Hyper-V cannot run. */
export async function checkContent(
  image: ImageMeta,
  format: RootFormat,
  file: string,
  signal: AbortSignal | undefined,
): Promise<RootFormat> {
  const { format: actual } = await recogniseFile(file);
  if (actual === 'iso' && format === 'iso') return 'iso';
  if ((actual !== 'vhd' && actual !== 'vhdx') || format === 'iso') {
    const what =
      actual === 'raw'
        ? 'neither VHD nor VHDX nor any known disk format (a raw disk, or damaged)'
        : actual.toUpperCase();
    throw new DriverError(
      'ImageUnacceptable',
      `Image ${image.id} says disk_format ${format}, and its content is ${what}. Correct its disk_format, or convert it (for example: qemu-img convert -O vhdx) and upload it again.`,
    );
  }
  try {
    refuseDifferencing(image, await inspect(file));
    await checkWhole(file, signal === undefined ? {} : { signal });
  } catch (error) {
    if (!hasCode(error, 'VHD_CORRUPT', 'VHD_UNSUPPORTED', 'VHD_LOG_NEEDS_REPLAY', 'VHD_UNKNOWN_FORMAT'))
      throw error;
    throw new DriverError(
      'ImageUnacceptable',
      `Image ${image.id} is a ${actual.toUpperCase()} that cannot be used: ${messageWithout(error, file, 'the file')} Check it (qemu-img check) and upload it again.`,
      { cause: error },
    );
  }
  return actual;
}
