import type { CimInstance } from '@nova-hyperv/wsman';
import { V2, v2 } from '../cim.js';
import { known } from '../machines/build.js';
import type { RuleHost } from '../machines/rules.js';

const GIBIBYTE = 1024n ** 3n;
const GPU_ID = 'PCI\\VEN_10DE&DEV_13F2&SUBSYS_115E10DE&REV_A1\\4&2DCF3BF6&0&0010';

/** The pool of RemoteFX adapters, and the graphics processor behind it where the host has one. */
export function graphicsObjects(host: RuleHost): readonly CimInstance[] {
  const hasGpu = host.remoteFx !== 'absent';
  const pool = v2(
    'Msvm_Synth3dVideoPool',
    known(host, 'Msvm_Synth3dVideoPool', {
      InstanceID: 'Microsoft:1D1E0F1E-9B3E-4D4B-8C1A-2A6B7F4A0C11\\Root',
      ElementName: 'Primordial',
      Caption: '3D Display Controller Resource Pool',
      PoolID: '',
      Primordial: true,
      ResourceType: 24,
      ResourceSubType: 'Microsoft:Hyper-V:Synthetic 3D Display Controller',
      AllocationUnits: 'count',
      Is3dVideoSupported: host.remoteFx === 'present',
      IsSLATCapable: true,
      IsGPUCapable: hasGpu,
      DirectXVersion: hasGpu ? '11.0' : '',
      RequiredMinimumDirectXVersion: '11.0',
    }),
  );
  return hasGpu && host.schema.classOf(V2, 'Msvm_Physical3dGraphicsProcessor') !== undefined
    ? [pool, graphicsProcessor(host)]
    : [pool];
}

function graphicsProcessor(host: RuleHost): CimInstance {
  return v2(
    'Msvm_Physical3dGraphicsProcessor',
    known(host, 'Msvm_Physical3dGraphicsProcessor', {
      InstanceID: `Microsoft:${GPU_ID}`,
      SystemCreationClassName: 'Msvm_ComputerSystem',
      SystemName: host.name.toUpperCase(),
      CreationClassName: 'Msvm_Physical3dGraphicsProcessor',
      DeviceID: `Microsoft:${GPU_ID}`,
      Name: 'Emulated graphics processor',
      ElementName: 'Emulated graphics processor',
      EnabledState: 2,
      EnabledForVirtualization: true,
      CompatibleForVirtualization: true,
      GPUID: GPU_ID,
      DirectXVersion: '11.0',
      PixelShaderVersion: '5.0',
      DedicatedVideoMemory: 8n * GIBIBYTE,
      TotalVideoMemory: 8n * GIBIBYTE,
      AvailableVideoMemory: 8n * GIBIBYTE,
      DriverProvider: 'Emulated',
      DriverVersion: '21.21.13.6939',
    }),
  );
}
