import { badRequest } from '../../kernel/errors.js';

/** Kinds of values: nova/api/validation/extra_specs. */
const BOOLEAN = /^(1|t|true|on|y|yes|0|f|false|off|n|no)$/i;
const COUNT = /^\d+$/;
const POSITIVE = /^[1-9]\d*$/;
const TEXT = /^.*$/s;
const oneOf = (...words: readonly string[]): RegExp => new RegExp(`^(${words.join('|')})$`);

/** Key and value of the extra specs that Nova and this driver know. */
const RULES: readonly (readonly [key: RegExp, value: RegExp])[] = [
  [/^trait[\w-]*:[A-Z][A-Z0-9_]*$/, oneOf('required', 'forbidden')],
  [/^resources[\w-]*:[A-Z][A-Z0-9_]*$/, COUNT],
  [/^group_policy$/, oneOf('none', 'isolate')],
  [/^capabilities:\w+(:\w+)*$/, TEXT],
  [/^accel:device_profile$/, TEXT],
  [/^pci_passthrough:alias$/, /^[^,:]+:\d+(,[^,:]+:\d+)*$/],
  [/^os:secure_boot$/, oneOf('required', 'disabled', 'optional')],
  [/^os:vtpm$/, oneOf('required', 'disabled', 'optional')],
  [/^os:(resolution|monitors|vram)$/, TEXT],
  [/^quota:(cpu_shares|cpu_period)$/, COUNT],
  [/^quota:cpu_quota$/, /^-?\d+$/],
  [/^quota:(cpu|memory|disk_io|vif)_(limit|shares_share)$/, COUNT],
  [/^quota:(cpu|memory|disk_io|vif)_reservation$/, /^-?\d+$/],
  [/^quota:(cpu|memory|disk_io|vif)_shares_level$/, oneOf('custom', 'high', 'normal', 'low')],
  [/^quota:(disk|vif)_[a-z_]+$/, COUNT],
  [/^hw_rng:allowed$/, BOOLEAN],
  [/^hw_rng:rate_(bytes|period)$/, COUNT],
  [/^hw_video:ram_max_mb$/, COUNT],
  [/^hw:cpu_policy$/, oneOf('dedicated', 'shared', 'mixed')],
  [/^hw:cpu_thread_policy$/, oneOf('prefer', 'isolate', 'require')],
  [/^hw:emulator_threads_policy$/, oneOf('isolate', 'share')],
  [/^hw:pci_numa_affinity_policy$/, oneOf('required', 'preferred', 'legacy', 'socket')],
  [/^hw:watchdog_action$/, oneOf('none', 'pause', 'poweroff', 'reset', 'disabled')],
  [/^hw:tpm_model$/, oneOf('tpm-tis', 'tpm-crb')],
  [/^hw:tpm_version$/, oneOf('1\\.2', '2\\.0')],
  [/^hw:mem_encryption_model$/, oneOf('amd-sev', 'amd-sev-es')],
  [/^hw:viommu_model$/, oneOf('intel', 'smmuv3', 'virtio', 'auto')],
  [/^hw:maxphysaddr_mode$/, oneOf('passthrough', 'emulate')],
  [/^hw:ephemeral_encryption_format$/, oneOf('luks', 'plain')],
  [
    /^hw:(boot_menu|cpu_realtime|hide_hypervisor_id|locked_memory|mem_encryption|pmu|vif_multiqueue_enabled|virtio_packed_ring|ephemeral_encryption)$/,
    BOOLEAN,
  ],
  [/^hw:(cpu_features|cpu_realtime_mask|cpu_dedicated_mask|numa_cpus\.\d+|pmem)$/, TEXT],
  [
    /^hw:(numa_nodes|cpu_sockets|cpu_cores|cpu_threads|cpu_max_sockets|cpu_max_cores|cpu_max_threads)$/,
    POSITIVE,
  ],
  [/^hw:(numa_mem\.\d+|maxphysaddr_bits|serial_port_count)$/, COUNT],
  [/^hw:mem_page_size$/, /^(large|small|any|\d+([kKMGT]i?[bB]?)?)$/],
];

/** Prefixes whose keys are all known; other prefixes are the operator's own. */
const RESERVED = /^(trait|resources|capabilities|accel|pci_passthrough|os|quota|hw_rng|hw_video|hw)[\w-]*$/;

/**
 * What Nova checks from microversion 2.86 on: a known key has a fitting value, and a key under a prefix
 * of Nova's own is known. Throws 400.
 */
export function checkExtraSpecs(specs: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(specs)) {
    const rule = RULES.find(([pattern]) => pattern.test(key));
    if (rule !== undefined) {
      if (!rule[1].test(value))
        throw badRequest(`Validation failed; '${value}' is not a valid value of '${key}'.`);
    } else if (key.includes(':') && RESERVED.test(key.slice(0, key.indexOf(':')))) {
      throw badRequest(`Validation failed; extra spec '${key}' does not appear to be a valid extra spec.`);
    }
  }
}
