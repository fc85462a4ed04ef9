import { joinHostPath } from '@nova-hyperv/hyperv';
import type { DiskFormat } from '@nova-hyperv/vhd';
import { DriverError } from '../errors.js';
import { chooseGeneration } from './generation.js';
import { RULES } from './explain-rules.js';
import type { Rule, RuleInput } from './explain-rules.js';
import { rootFormatOf } from './disks.js';
import type { BaseImage, EarlyPlanInput } from './input.js';
import { NOVA_RULES } from './nova-rules.js';
import { plan } from './plan.js';
import { bootsFromVolume } from './volumes.js';
import type { Generation, VmSpec } from './vm-spec.js';

/** Why a boot would be refused, and by whose word. */
export interface Refusal {
  /** Name of the exception in Nova. */
  readonly exception: string;
  /** What is wrong and what to do about it. */
  readonly message: string;
  readonly rule: string;
  /** Document and section. */
  readonly source: string;
  /** `host`: another host may take the instance. */
  readonly scope: 'request' | 'host';
}

export interface Explanation {
  /** What a boot would make; null when it would be refused. */
  readonly spec: VmSpec | null;
  /** Every reason, in the order in which a boot would meet them. */
  readonly refusals: readonly Refusal[];
  /** What could not be looked at, in words. */
  readonly unchecked: readonly string[];
}

/** Without `base` the image counts as a disk of its declared format, small and whole. */
export interface ExplainInput extends EarlyPlanInput {
  readonly base?: BaseImage;
}

/**
 * What {@link plan} would say, with all reasons instead of the first. Pure, and throws nothing for what cannot be had. `plan` itself is asked at
 * the end: what no row of the table names is told all the same.
 */
export function explainPlan(input: ExplainInput): Explanation {
  const { base: given, ...early } = input;
  const unchecked: string[] = [];
  const generation = generationToCheck(early);
  if (generation === undefined) unchecked.push('what depends on the generation of the machine');
  const fromVolume = bootsFromVolume(early);
  if (given === undefined && !fromVolume)
    unchecked.push("the content of the image's file: its format, virtual size and parent");
  const known: BaseImage | undefined = fromVolume ? { kind: 'volume' } : given;
  const base = known ?? assumedBase(early, generation ?? 1);
  const facts: RuleInput = { input: early, generation, base: known };
  const refusals: Refusal[] = [];
  const seen = new Set<string>();
  const collect = (rule: Omit<Rule, 'checks'>, check: () => unknown): void => {
    const error = refusalOf(check);
    if (error === undefined || seen.has(error.message)) return;
    seen.add(error.message);
    const { novaName: exception, message, scope } = error;
    refusals.push({ exception, message, rule: rule.name, source: rule.source, scope });
  };
  for (const rule of NOVA_RULES) {
    const found = rule.refuse(early);
    if (found !== undefined) refusals.push({ ...found, rule: rule.name, source: rule.source });
  }
  for (const rule of RULES) for (const check of rule.checks(facts)) collect(rule, check);
  let spec: VmSpec | null = null;
  collect({ name: 'plan', source: 'this driver' }, () => (spec = plan({ ...early, base }).vm));
  return { spec: refusals.length > 0 ? null : spec, refusals, unchecked };
}

function refusalOf(check: () => unknown): DriverError | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (error instanceof DriverError) return error;
    throw error;
  }
}

/** Also where the host has none of it: what else is wrong with such a machine is told too. */
function generationToCheck(input: EarlyPlanInput): Generation | undefined {
  try {
    return chooseGeneration(input);
  } catch (error) {
    if (!(error instanceof DriverError)) throw error;
    return input.image.properties['hw_machine_type'] === 'hyperv-gen2' ? 2 : undefined;
  }
}

/** Glance has one name for both formats: what a generation 2 image calls vhd holds a VHDX. */
function assumedBase(input: EarlyPlanInput, generation: Generation): BaseImage {
  const declared = declaredFormat(input);
  const format: DiskFormat = generation === 2 || declared === 'vhdx' ? 'vhdx' : 'vhd';
  const extension = declared === 'iso' ? 'iso' : format;
  const path = joinHostPath(
    input.config.instancesPath,
    input.config.imageCacheSubdirectory,
    `${input.image.id}.${extension}`,
  );
  if (declared === 'iso') return { kind: 'iso', path };
  const blockSize = format === 'vhd' ? 2 ** 21 : 2 ** 25;
  return {
    kind: 'disk',
    path,
    info: {
      path,
      format,
      type: 'dynamic',
      virtualSize: blockSize,
      fileSize: 0,
      blockSize,
      logicalSectorSize: 512,
      physicalSectorSize: 512,
      identifier: '00000000-0000-0000-0000-000000000000',
    },
  };
}

function declaredFormat(input: EarlyPlanInput): 'vhd' | 'vhdx' | 'iso' | undefined {
  try {
    return rootFormatOf(input);
  } catch (error) {
    if (error instanceof DriverError) return undefined;
    throw error;
  }
}
