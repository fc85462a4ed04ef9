import type { CimInstance, CimReference } from '@nova-hyperv/wsman';
import { V2, dateTime, intervalOfMs, reference, settingReference, v2 } from '../cim.js';
import { known } from '../machines/build.js';
import type { RuleHost } from '../machines/rules.js';
import type { ServiceContext } from '../services/context.js';
import type { AssociationSource } from '../store/associations.js';
import type { InstanceSource } from '../store/store.js';
import { isSame } from './collection.js';
import { METRIC_DEFINITIONS } from './definitions.js';
import type { MetricDefinition } from './definitions.js';
import { definitionsOf, elementAt, elementsOf, measured, statsOf } from './elements.js';
import type { MetricElement } from './elements.js';
import { metersOf } from './meters.js';

const CLASSES = {
  average: { definition: 'Msvm_AggregationMetricDefinition', value: 'Msvm_AggregationMetricValue' },
  counter: { definition: 'Msvm_BaseMetricDefinition', value: 'Msvm_BaseMetricValue' },
} as const;
/** Values of the enumerations of CIM_BaseMetricDefinition and CIM_AggregationMetricDefinition. */
const [UINT64, SUMMABLE, NON_SUMMABLE, COUNTER, SIMPLE_FUNCTION, INTERVAL, PERIODIC, AVERAGE] = [
  13, 2, 3, 3, 5, 3, 3, 4,
];
/** MetricCollectionEnabled of Msvm_MetricDefForME. */
const [ENABLED, DISABLED] = [2, 3];

function idOfDefinition(definition: MetricDefinition): string {
  return `Microsoft:Definition\\Metric\\${METRIC_DEFINITIONS.indexOf(definition) + 1}`;
}

export function definitionById(id: string): MetricDefinition | undefined {
  return METRIC_DEFINITIONS.find(
    (definition) => idOfDefinition(definition).toLowerCase() === id.toLowerCase(),
  );
}

function definitionReference(definition: MetricDefinition): CimReference {
  return reference(V2, CLASSES[definition.kind].definition, { Id: idOfDefinition(definition) });
}

function definitionInstance(definition: MetricDefinition, host: RuleHost): CimInstance {
  const className = CLASSES[definition.kind].definition;
  const isAverage = definition.kind === 'average';
  return v2(
    className,
    known(host, className, {
      InstanceID: idOfDefinition(definition),
      Id: idOfDefinition(definition),
      ElementName: definition.name,
      Name: definition.name,
      Caption: definition.name,
      Description: definition.name,
      DataType: UINT64,
      Calculable: isAverage ? NON_SUMMABLE : SUMMABLE,
      Units: definition.units,
      ProgrammaticUnits: definition.programmaticUnits,
      IsContinuous: true,
      ChangeType: isAverage ? SIMPLE_FUNCTION : COUNTER,
      TimeScope: INTERVAL,
      GatheringType: PERIODIC,
      SimpleFunction: AVERAGE,
    }),
  );
}

function valueId(element: MetricElement, definition: MetricDefinition): string {
  return `${element.key === '' ? `Microsoft:${element.machine.id}` : element.reference.keys['InstanceID']}\\Metric\\${METRIC_DEFINITIONS.indexOf(definition) + 1}`;
}

/** The values of an element's metrics that are on; a machine that is off has none. */
async function valuesOf(
  context: ServiceContext,
  element: MetricElement,
): Promise<readonly { definition: MetricDefinition; instance: CimInstance }[]> {
  const collected = (element.machine.metrics ?? []).filter((one) => one.element === element.key);
  if (collected.length === 0 || (element.of === 'port' && metersOf(element).length === 0)) return [];
  const stats = await statsOf(context, element.machine);
  if (stats === undefined) return [];
  return definitionsOf(element).flatMap((definition) => {
    const record = collected.find((one) => isSame(one, element.key, definition));
    if (record === undefined) return [];
    const what = measured(context, element, record, stats);
    const className = CLASSES[definition.kind].value;
    const properties = {
      InstanceID: valueId(element, definition),
      ElementName: definition.name,
      Caption: definition.name,
      Description: definition.name,
      MetricDefinitionId: idOfDefinition(definition),
      MeasuredElementName: element.name,
      TimeStamp: dateTime(context.host.clock.now()),
      Duration: intervalOfMs(what.elapsedMs),
      MetricValue: String(Math.floor(definition.value(what))),
      Volatile: true,
      AggregationTimeStamp: dateTime(context.host.clock.now()),
      AggregationDuration: intervalOfMs(what.elapsedMs),
    };
    return [{ definition, instance: v2(className, known(context.host, className, properties)) }];
  });
}

function allElements(context: ServiceContext): readonly MetricElement[] {
  return context.machines.all().flatMap(elementsOf);
}

export function metricSources(context: ServiceContext): readonly InstanceSource[] {
  return (['average', 'counter'] as const).flatMap((kind) => [
    {
      namespace: V2,
      className: CLASSES[kind].definition,
      list: () =>
        METRIC_DEFINITIONS.filter((definition) => definition.kind === kind).map((definition) =>
          definitionInstance(definition, context.host),
        ),
    },
    {
      namespace: V2,
      className: CLASSES[kind].value,
      list: async () => {
        const values = await Promise.all(allElements(context).map((element) => valuesOf(context, element)));
        return values
          .flat()
          .filter(({ definition }) => definition.kind === kind)
          .map(({ instance }) => instance);
      },
    },
  ]);
}

export function metricAssociations(context: ServiceContext): readonly AssociationSource[] {
  const at = (end: CimReference | undefined): readonly MetricElement[] => {
    const element = end === undefined ? undefined : elementAt(context, end);
    return element === undefined ? allElements(context) : [element];
  };
  return [
    {
      namespace: V2,
      className: 'Msvm_MetricDefForME',
      links: (end) =>
        at(end).flatMap((element) =>
          definitionsOf(element).map((definition) =>
            v2('Msvm_MetricDefForME', {
              Antecedent: element.reference,
              Dependent: definitionReference(definition),
              MetricCollectionEnabled: (element.machine.metrics ?? []).some((one) =>
                isSame(one, element.key, definition),
              )
                ? ENABLED
                : DISABLED,
            }),
          ),
        ),
    },
    {
      namespace: V2,
      className: 'Msvm_MetricForME',
      links: async (end) => {
        const links = await Promise.all(
          at(end).map(async (element) =>
            (await valuesOf(context, element)).map(({ definition }) =>
              v2('Msvm_MetricForME', {
                Antecedent: element.reference,
                Dependent: settingReference(CLASSES[definition.kind].value, valueId(element, definition)),
              }),
            ),
          ),
        );
        return links.flat();
      },
    },
  ];
}
