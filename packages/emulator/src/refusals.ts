/**
 * Call shapes that the emulated host can be told to refuse (option `refuse`), because nobody has proved on Windows
 * that they work there. A client must be able to do without each of them.
 */
export const REFUSALS = {
  /** DefineSystem with anything in ResourceSettings answers 32773. */
  'define-with-resources': 'DefineSystem with resource settings',
  /** CreateVirtualHardDisk of a differencing disk (type 4) with MaxInternalSize other than 0 answers 32773. */
  'create-differencing-with-size': 'a differencing disk made larger than its parent in one call',
  /** AddResourceSettings and ModifyResourceSettings with more than one element answer 32773. */
  'add-several-resources': 'several resource settings in one call',
  /** AddResourceSettings whose Parent names an element of the same call fails with 32773. */
  'parent-in-same-call': 'a Parent that the same call adds',
  /** BootSourceOrder must hold the paths exactly as the host reports them; others fail with 32773. */
  'computed-boot-source': 'boot source paths that were not read from the host',
  /** Memory and processor settings get InstanceIDs that cannot be known without asking. */
  'known-setting-ids': 'InstanceIDs built from public GUIDs',
  /** ResultingSystem, ResultingResourceSettings and the like stay empty when a job is started. */
  'results-with-job': 'results told together with a job',
  /** A WQL query of CIM_SettingData fails with 0x80041024. */
  'settings-by-base-class': 'settings of all kinds by one query of their base class',
  /** A WQL query of CIM_ConcreteJob fails with 0x80041024. */
  'jobs-by-base-class': 'jobs of all kinds by one query of their base class',
  /** ResizeVirtualHardDisk of a differencing disk fails with 32774 while its machine runs. */
  'resize-running-difference': 'growing a differencing disk of a running machine',
  /** GetSummaryInformation without SettingData answers 32773. */
  'summary-of-all': 'the summary of all machines in one call',
} as const;

/** Base classes that a host with this refusal answers no query of. */
export const UNQUERYABLE: Readonly<Record<string, Refusal>> = {
  CIM_SettingData: 'settings-by-base-class',
  CIM_ConcreteJob: 'jobs-by-base-class',
};

/** A name that the option `refuse` takes. */
export type Refusal = keyof typeof REFUSALS;
