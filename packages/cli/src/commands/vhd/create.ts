import { Option, type Command } from 'commander';
import {
  createVhd,
  createVhdx,
  inspect,
  validateCreate,
  type DiskFormat,
  type DiskType,
} from '@nova-hyperv/vhd';
import { CliError, EXIT } from '../../errors.js';
import { inShort } from './describe.js';
import { withLocks } from './locks.js';
import { addOutputOptions, perform, type OutputFlags } from './operation.js';
import { addShapeOptions, shapeOf, type ShapeFlags } from './options/disk-shape.js';
import { DISK_FORMATS, formatOfTarget } from './options/format.js';
import { parseSize } from './options/size.js';
import { parentLocators, type ParentLocators } from './parent-locators.js';
import { makeTarget } from './target.js';

interface CreateFlags extends OutputFlags, ShapeFlags {
  readonly format?: DiskFormat;
  readonly type?: DiskType;
  readonly parent?: string;
  readonly parentWindowsPath?: string;
  readonly force?: boolean;
}

export function addCreateCommand(vhd: Command): void {
  const command = vhd
    .command('create')
    .description('make a disk')
    .argument('<file>')
    .argument('[size]', "10G, 512M, 1.5T or bytes; a differencing disk has its parent's", parseSize)
    .addOption(
      new Option('--format <format>', "default: as the file's name ends, .vhd or .vhdx").choices(
        DISK_FORMATS,
      ),
    )
    .addOption(
      new Option('--type <type>', 'default: dynamic; differencing with --parent').choices([
        'dynamic',
        'fixed',
        'differencing',
      ]),
    )
    .option('--parent <file>', 'the disk that a differencing disk is made over')
    .option(
      '--parent-windows-path <path>',
      'also store this path to the parent, for Windows (C:\\VMs\\base.vhdx)',
    );
  addOutputOptions(addShapeOptions(command))
    .option('--force', 'replace a file of that name')
    .action((file: string, size: number | undefined, flags: CreateFlags) =>
      perform('create', flags, () => create(file, size, flags)),
    );
}

async function create(
  file: string,
  size: number | undefined,
  flags: CreateFlags,
): ReturnType<Parameters<typeof perform>[2]> {
  const type = flags.type ?? (flags.parent === undefined ? 'dynamic' : 'differencing');
  if ((type === 'differencing') !== (flags.parent !== undefined))
    throw new CliError('--type differencing and --parent belong together', EXIT.usage);
  if (type !== 'differencing' && size === undefined) throw new CliError(`${file}: say its size`, EXIT.usage);
  const format = formatOfTarget(file, flags.format, DISK_FORMATS);
  const wishes = { type, ...(size === undefined ? {} : { virtualSize: size }), ...shapeOf(flags) };
  validateCreate({ format, ...wishes });
  await withLocks('vhd create', async (locks) => {
    const { parent } = flags;
    if (parent !== undefined) await checkParent(parent, format);
    if (parent !== undefined) await locks.take(parent, 'read');
    const over =
      parent === undefined
        ? {}
        : {
            parent: {
              path: parent,
              locators: await parentLocators(file, parent, flags.parentWindowsPath),
            },
          };
    const options = { force: flags.force === true, sources: parent === undefined ? [] : [parent], locks };
    await makeTarget(file, options, (at) => makeDisk(format, { path: at, ...wishes, ...over }));
  });
  const info = await inspect(file);
  return { json: info, text: `${file}: ${inShort(info)}` };
}

interface Wanted extends ShapeFlags {
  readonly path: string;
  readonly type: DiskType;
  readonly virtualSize?: number;
  readonly parent?: { readonly path: string; readonly locators: ParentLocators };
}

function makeDisk(format: DiskFormat, wanted: Wanted): Promise<void> {
  return format === 'vhd' ? createVhd(wanted) : createVhdx(wanted);
}

async function checkParent(parent: string, format: DiskFormat): Promise<void> {
  const { format: parentFormat } = await inspect(parent);
  if (parentFormat !== format)
    throw new CliError(
      `${parent} is a ${parentFormat.toUpperCase()}; a child of it is one too (--format ${parentFormat})`,
      EXIT.usage,
    );
}
