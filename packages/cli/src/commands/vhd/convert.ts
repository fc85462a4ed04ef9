import { Option, type Command } from 'commander';
import { convertDisk, recogniseFile, type ConvertSource } from '@nova-hyperv/vhd';
import { stat } from 'node:fs/promises';
import { CliError, EXIT } from '../../errors.js';
import { readChain } from './chain.js';
import { exactly } from './describe.js';
import { withLocks } from './locks.js';
import { addOutputOptions, perform, type Operation, type Outcome, type OutputFlags } from './operation.js';
import { addShapeOptions, shapeOf, type ShapeFlags } from './options/disk-shape.js';
import { formatOfTarget, IMAGE_FORMATS, type ImageFormat } from './options/format.js';
import { addParentFolderOption, parentsOf, type ParentFolderFlags } from './options/parent-folders.js';
import { makeTarget } from './target.js';

interface ConvertFlags extends OutputFlags, ShapeFlags, ParentFolderFlags {
  readonly sourceFormat?: ImageFormat;
  readonly format?: ImageFormat;
  readonly type?: 'dynamic' | 'fixed';
  readonly force?: boolean;
}

export function addConvertCommand(vhd: Command): void {
  const command = vhd
    .command('convert')
    .description('make a disk of another form with the same content; parents are taken in')
    .argument('<source>')
    .argument('<target>')
    .addOption(
      new Option(
        '--source-format <format>',
        'VHD and VHDX are told by content; a plain image only when raw is said here, because anything may look like one',
      ).choices(IMAGE_FORMATS),
    )
    .addOption(
      new Option(
        '--format <format>',
        "default: as the target's name ends, .vhd, .vhdx, .raw or .img",
      ).choices(IMAGE_FORMATS),
    )
    .addOption(new Option('--type <type>', 'default: dynamic').choices(['dynamic', 'fixed']));
  addOutputOptions(addParentFolderOption(addShapeOptions(command)))
    .option('--force', 'replace a file of that name, once the new one is whole')
    .action((source: string, target: string, flags: ConvertFlags) =>
      perform('convert', flags, (operation) => convert(source, target, flags, operation)),
    );
}

async function convert(
  source: string,
  target: string,
  flags: ConvertFlags,
  operation: Operation,
): Promise<Outcome> {
  const format = formatOfTarget(target, flags.format, IMAGE_FORMATS);
  const shape = shapeOf(flags);
  if (format === 'raw' && (flags.type !== undefined || Object.keys(shape).length > 0))
    throw new CliError('a raw image has no type, blocks or sectors to choose', EXIT.usage);
  const sourceFormat = await formatOfSource(source, flags.sourceFormat);
  const resolveParent = parentsOf(source, flags);
  const from: ConvertSource =
    sourceFormat === 'raw' ? { path: source, as: 'raw' } : { path: source, resolveParent };
  await withLocks('vhd convert', async (locks) => {
    let sources = [source];
    if (sourceFormat === 'raw') await locks.take(source, 'read');
    else {
      await locks.takeChain(source, 'read', resolveParent);
      sources = (await readChain(source, resolveParent)).map(({ path }) => path);
    }
    await makeTarget(target, { force: flags.force === true, sources, locks }, (at) =>
      convertDisk(
        from,
        { path: at, format, ...(flags.type === undefined ? {} : { type: flags.type }), ...shape },
        operation,
      ),
    );
  });
  const { size, blocks } = await stat(target);
  return {
    json: { source, sourceFormat, target, format, fileSize: size, allocatedSize: blocks * 512 },
    text: `${target}: ${format}, ${exactly(size)}`,
  };
}

/** @throws CliError when the content is not what was said, or would have to be guessed. */
async function formatOfSource(source: string, said: ImageFormat | undefined): Promise<ImageFormat> {
  if (said === 'raw') return 'raw';
  const { format: found } = await recogniseFile(source);
  if (found === 'vhd' || found === 'vhdx') {
    if (said === undefined || said === found) return found;
    throw new CliError(`${source} is a ${found.toUpperCase()}, not a ${said.toUpperCase()}`, EXIT.failed);
  }
  if (found === 'raw' || found === 'iso')
    throw new CliError(
      `${source} is neither VHD nor VHDX; if it is a plain image, say --source-format raw`,
      EXIT.usage,
    );
  throw new CliError(`${source} is a ${found.toUpperCase()} file; qemu-img convert reads it`, EXIT.failed);
}
