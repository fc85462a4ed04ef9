import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { isCimInstance } from '@nova-hyperv/wsman';
import type { CimInstance, InvokeResult } from '@nova-hyperv/wsman';
import { instance, listOf, textOf } from '../cim.js';
import { HV, HyperVError } from '../errors.js';
import { STATE } from '../machines/model.js';
import { completed } from '../methods.js';
import type { MethodCall, MethodHandler } from '../methods.js';
import type { ServiceContext } from '../services/context.js';
import type { InstanceSource } from '../store/store.js';
import { hasTpm } from './security-settings.js';
import { readShieldingData } from './shielding-data.js';
import type { ShieldingData } from './shielding-data.js';

export const MSPS = 'root/msps';
export const HGS = 'root/Microsoft/Windows/Hgs';

const JOB = { completed: 7, exception: 10 } as const;
const FSK_FORMAT = 'nova-hyperv specialization data 1';
const MOST_JOBS = 100;

/** The shielded VM tools' classes, and the host guardian client's. Source: Shielded VM Provisioning WMI Provider; MSFT_HgsClientConfiguration. */
export class ShieldingTools {
  readonly #context: ServiceContext;
  readonly #jobs: CimInstance[] = [];

  constructor(context: ServiceContext) {
    this.#context = context;
  }

  sources(): readonly InstanceSource[] {
    return [
      { namespace: MSPS, className: 'Msps_ProvisioningJob', list: () => this.#jobs },
      { namespace: HGS, className: 'MSFT_HgsClientConfiguration', list: () => [this.#guardianClient()] },
    ];
  }

  processorMethods(): Readonly<Record<string, MethodHandler>> {
    return {
      PopulateFromFile: (call) => this.#populate(call),
      SerializeToFile: (call) => this.#serialize(call),
    };
  }

  serviceMethods(): Readonly<Record<string, MethodHandler>> {
    return { ProvisionMachine: (call) => this.#provision(call) };
  }

  guardianMethods(): Readonly<Record<string, MethodHandler>> {
    return { Get: () => completed({ cmdletOutput: this.#guardianClient() }) };
  }

  #guardianClient(): CimInstance {
    const { guarded } = this.#context.host;
    return instance(HGS, 'MSFT_HgsClientConfiguration', {
      IsHostGuarded: guarded,
      Mode: guarded ? 0 : 1,
      // 3: attestation passed; 1: it is not configured.
      AttestationStatus: guarded ? 3 : 1,
      AttestationSubstatus: 0n,
      AttestationOperationMode: guarded ? 2 : 0,
      AttestationServerUrl: guarded ? 'http://hgs.emulated/Attestation' : '',
      KeyProtectionServerUrl: guarded ? 'http://hgs.emulated/KeyProtection' : '',
      IsFallbackInUse: false,
    });
  }

  #populate(call: MethodCall): InvokeResult {
    const { keyProtector, policy } = this.#shieldingData(call.text('FilePath'));
    const file = instance(MSPS, 'Msps_PDK', { KeyProtector: [...keyProtector], PolicyData: [...policy] });
    return completed({ ProvisioningFile: file });
  }

  #serialize(call: MethodCall): InvokeResult {
    const file = call.raw('ProvisioningFile');
    if (!isCimInstance(file) || file.className !== 'Msps_FSK')
      throw new HyperVError(
        HV.invalidParameter,
        'Only a specialization data file (Msps_FSK) can be written.',
      );
    const pairs = listOf(file.properties['FabricDataPairs'])
      .filter((pair) => isCimInstance(pair))
      .map(({ properties }) => [textOf(properties['key']), textOf(properties['Value'])] as const);
    if (pairs.some(([key]) => !/^@.+@$/.test(key)))
      throw new HyperVError(HV.invalidParameter, 'Keys of specialization data stand between @ signs.');
    const local = this.#context.host.paths.toLocal(call.text('FilePath'));
    const content = { format: FSK_FORMAT, values: Object.fromEntries(pairs) };
    writeFileSync(local, `${JSON.stringify(content)}\n`, { mode: 0o600 });
    return completed();
  }

  /** There is no template disk to specialize here: what can be checked is checked, and the job is done. */
  #provision(call: MethodCall): InvokeResult {
    const machine = this.#context.machines.require(call.text('MachineID'));
    this.#shieldingData(call.text('PDKPath'));
    const fsk = this.#context.host.paths.toLocal(call.text('FSKPath'));
    const why = !existsSync(fsk)
      ? 'The specialization data file cannot be found.'
      : machine.enabledState !== STATE.off
        ? 'The virtual machine has been started already.'
        : hasTpm(machine)
          ? undefined
          : 'The virtual machine has no virtual TPM.';
    const job = instance(MSPS, 'Msps_ProvisioningJob', {
      InstanceID: this.#context.host.newGuid(),
      ElementName: 'Provisioning Virtual Machine',
      AdditionalIdentifier: machine.id,
      JobStatus: why === undefined ? 'Provisioning is complete' : 'Provisioning failed',
      JobState: why === undefined ? JOB.completed : JOB.exception,
      PercentComplete: 100,
      ErrorCode: why === undefined ? 0 : HV.failed,
      ErrorDescription: why ?? '',
    });
    this.#jobs.push(job);
    if (this.#jobs.length > MOST_JOBS) this.#jobs.shift();
    return completed({ ProvisioningJob: job });
  }

  #shieldingData(windowsPath: string): ShieldingData {
    const local = this.#context.host.paths.toLocal(windowsPath);
    if (statSync(local, { throwIfNoEntry: false })?.isFile() !== true)
      throw new HyperVError(HV.fileNotFound, `'${windowsPath}': The system cannot find the file specified.`);
    const data = readShieldingData(readFileSync(local));
    if (data !== undefined) return data;
    throw new HyperVError(
      HV.invalidParameter,
      `'${windowsPath}' is no shielding data file that an emulated host can read.`,
    );
  }
}
