import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { CliError, EXIT } from '../../errors.js';

/** How a child names its parent, in Windows' way of writing paths. */
export interface ParentLocators {
  readonly relativePath: string;
  readonly absoluteWin32Path?: string;
}

/**
 * The paths to store in a child: the one from its folder to the parent, which holds wherever the two are moved
 * together, and the absolute one on Windows when that is known.
 * @throws CliError for names that cannot be written as Windows paths.
 */
export async function parentLocators(
  child: string,
  parent: string,
  windowsPath: string | undefined,
): Promise<ParentLocators> {
  const childFolder = await realpath(path.dirname(path.resolve(child)));
  const parts = path.relative(childFolder, await realpath(parent)).split(path.sep);
  const wrong = parts.find((part) => /[\\/:*?"<>|\p{Cc}]/u.test(part));
  if (wrong !== undefined)
    throw new CliError(
      `${JSON.stringify(wrong)}: disks name their parents by Windows paths, which this cannot be part of`,
      EXIT.usage,
    );
  if (windowsPath !== undefined && !/^(?:[a-z]:\\|\\\\)/i.test(windowsPath))
    throw new CliError(`--parent-windows-path ${windowsPath}: not an absolute Windows path`, EXIT.usage);
  return {
    relativePath: parts[0] === '..' ? parts.join('\\') : ['.', ...parts].join('\\'),
    ...(windowsPath === undefined ? {} : { absoluteWin32Path: windowsPath }),
  };
}
