import type { CimReference, InvokeResult } from '@nova-hyperv/wsman';
import { isCimReference } from '@nova-hyperv/wsman';
import { keyOf, returned } from '../methods.js';
import type { MethodCall, MethodHandler } from '../methods.js';
import type { ServiceContext } from '../services/context.js';
import { isSame } from './collection.js';
import type { CollectedMetric } from './collection.js';
import type { MetricDefinition } from './definitions.js';
import { countedOf, definitionsOf, elementAt, elementsOf, statsOf } from './elements.js';
import type { MetricElement } from './elements.js';
import { definitionById } from './metric-objects.js';

/** Return values. Source: HyperV_v2, ControlMetrics of Msvm_MetricService. */
const FAILED = 2;
/** MetricCollectionEnabled of ControlMetrics. */
const CONTROL = { enable: 2, disable: 3, reset: 4 } as const;
const CONTROLS: readonly number[] = Object.values(CONTROL);

export function metricServiceMethods(context: ServiceContext): Readonly<Record<string, MethodHandler>> {
  return { ControlMetrics: (call) => controlMetrics(context, call) };
}

/** Without a subject: everything that the definition is for. Without a definition: all metrics of the subject. Not without both. */
async function controlMetrics(context: ServiceContext, call: MethodCall): Promise<InvokeResult> {
  const control = call.number('MetricCollectionEnabled');
  const subject = optional(call, 'Subject');
  const named = optional(call, 'Definition');
  if (!CONTROLS.includes(control) || (subject === undefined && named === undefined)) return returned(FAILED);
  const definition = named === undefined ? undefined : definitionById(keyOf(named, 'Id'));
  if (named !== undefined && definition === undefined) return returned(FAILED);
  const wanted = (element: MetricElement): readonly MetricDefinition[] =>
    definitionsOf(element).filter(({ name }) => definition === undefined || definition.name === name);
  const elements = subjects(context, subject).filter((element) => wanted(element).length > 0);
  if (elements.length === 0) return returned(subject === undefined ? 0 : FAILED);
  // A port is there while its machine runs, and is named alone or not at all.
  if (subject !== undefined && elements.some((one) => one.of === 'port' && !runs(context, one)))
    return returned(FAILED);
  for (const element of elements.filter((one) => one.of !== 'port' || runs(context, one)))
    await change(context, element, wanted(element), control);
  return returned(0);
}

function runs(context: ServiceContext, { machine }: MetricElement): boolean {
  return context.machines.isRunning(machine.id);
}

function optional(call: MethodCall, name: string): CimReference | undefined {
  const value = call.raw(name);
  return value === null ? undefined : isCimReference(value) ? value : call.reference1(name);
}

function subjects(context: ServiceContext, subject: CimReference | undefined): readonly MetricElement[] {
  if (subject === undefined) return context.machines.all().flatMap(elementsOf);
  const element = elementAt(context, subject);
  return element === undefined ? [] : [element];
}

async function change(
  context: ServiceContext,
  element: MetricElement,
  definitions: readonly MetricDefinition[],
  control: number,
): Promise<void> {
  await context.machines.changeMetrics(element.machine.id, async (machine) => {
    const before = machine.metrics ?? [];
    const isMeant = (one: CollectedMetric): boolean =>
      definitions.some((definition) => isSame(one, element.key, definition));
    const others = before.filter((one) => !isMeant(one));
    if (control === CONTROL.disable) return others;
    const stats = await statsOf(context, machine);
    const begin = {
      element: element.key,
      since: stats === undefined ? null : context.host.clock.now().toISOString(),
      from: countedOf(element, stats),
    };
    const kept = before.filter(isMeant);
    if (control === CONTROL.reset) return [...others, ...kept.map(({ metric }) => ({ ...begin, metric }))];
    // One that is on already goes on as it was.
    const added = definitions.filter(({ name }) => !kept.some(({ metric }) => metric === name));
    return [...others, ...kept, ...added.map(({ name }) => ({ ...begin, metric: name }))];
  });
}
