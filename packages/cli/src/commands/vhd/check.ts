import type { Command } from 'commander';
import { checkDisk, type CheckFinding, type CheckReport } from '@nova-hyperv/vhd';
import { EXIT } from '../../errors.js';
import { exactly, inShort, printable } from './describe.js';
import { withLocks } from './locks.js';
import { addOutputOptions, perform, type Operation, type Outcome, type OutputFlags } from './operation.js';
import { addParentFolderOption, parentsOf, type ParentFolderFlags } from './options/parent-folders.js';

interface CheckFlags extends OutputFlags, ParentFolderFlags {
  readonly repair?: boolean;
}

export function addCheckCommand(vhd: Command): void {
  const command = vhd
    .command('check')
    .description('tell what is wrong with a disk, and where')
    .argument('<file>')
    .option(
      '--repair',
      'put right what can be without a choice: replay the log, renew the damaged of two copies',
    );
  addOutputOptions(addParentFolderOption(command))
    .addHelpText(
      'after',
      '\nExit codes: 0 all is well; 1 it could not be checked; 2 errors: data is lost, or the disk cannot be used as it\nis; 3 it can be used, and something should be put right. With --repair they are about what is left.',
    )
    .action((file: string, flags: CheckFlags) =>
      perform('check', flags, (operation) => check(file, flags, operation)),
    );
}

async function check(file: string, flags: CheckFlags, operation: Operation): Promise<Outcome> {
  const resolveParent = parentsOf(file, flags);
  const repair = flags.repair === true;
  return withLocks('vhd check', async (locks) => {
    await locks.take(file, repair ? 'write' : 'read');
    await locks.takeParentsThatCanBeRead(file, resolveParent);
    const report = await checkDisk(file, { ...operation, resolveParent, repair });
    return { json: report, text: describe(report), exitCode: exitCode(report) };
  });
}

function exitCode(report: CheckReport): number {
  if (!report.whole) return EXIT.checkErrors;
  return isClean(report) ? EXIT.ok : EXIT.checkLeaks;
}

function isClean(report: CheckReport): boolean {
  const { findings, leakedBytes, parent } = report;
  return findings.length === 0 && leakedBytes === 0 && (parent === undefined || isClean(parent));
}

function describe(report: CheckReport): string {
  const { format, type, virtualSize, findings, findingsLeftOut, leakedBytes, repairs, parent } = report;
  const isKnown = format !== undefined && type !== undefined && virtualSize !== undefined;
  const lines = [
    `${report.path}: ${isKnown ? inShort({ format, type, virtualSize }) : (format ?? 'not recognised')}`,
    ...findings.map(line),
    ...(findingsLeftOut > 0 ? [`  and ${findingsLeftOut} more`] : []),
    ...(leakedBytes > 0 ? [`  leak: ${exactly(leakedBytes)} that nothing owns`] : []),
    ...repairs.map((repair) => `  repaired: ${repair}`),
    ...(isClean(report) ? ['  no errors'] : []),
    ...(parent === undefined ? [] : [describe(parent)]),
  ];
  return lines.join('\n');
}

function line({ severity, code, message, offset, block }: CheckFinding): string {
  const place = [
    ...(offset === undefined ? [] : [`byte ${offset}`]),
    ...(block === undefined ? [] : [`block ${block}`]),
  ].join(', ');
  return printable(`  ${severity}: ${code}${place === '' ? '' : ` at ${place}`}: ${message}`);
}
