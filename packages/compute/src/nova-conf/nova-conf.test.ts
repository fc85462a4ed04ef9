import { DEFAULT_CONFIG } from '@nova-hyperv/driver';
import { describe, expect, it } from 'vitest';
import { computeConfig } from '../config.js';
import { NovaConf } from './nova-conf.js';
import { computeOptions, driverOptions } from './options.js';

const conf = (text: string) => NovaConf.parse(text);

describe('nova.conf', () => {
  it('has groups, comments, both separators, quotes and values over several lines', () => {
    const read = conf(
      [
        '# a comment',
        '[DEFAULT]',
        'my_ip = 10.0.0.1',
        '; another',
        'host: "quoted name"',
        '[pci]',
        'alias = { "name": "gpu",',
        '          "vendor_id": "10de" }',
      ].join('\n'),
    );
    expect(read.text('DEFAULT', 'my_ip')).toBe('10.0.0.1');
    expect(read.text('default', 'host')).toBe('quoted name');
    expect(JSON.parse(read.text('pci', 'alias') ?? '')).toEqual({ name: 'gpu', vendor_id: '10de' });
  });

  it('takes the last value of an option, and all of one that has many', () => {
    const read = conf('[pci]\nalias = {"name": "a"}\nalias = {"name": "b"}\n');
    expect(read.text('pci', 'alias')).toBe('{"name": "b"}');
    expect(read.all('pci', 'alias')).toEqual(['{"name": "a"}', '{"name": "b"}']);
  });

  it('fills in references to options of the group, of DEFAULT, and of other groups', () => {
    const read = conf(
      '[DEFAULT]\nstate_path = C:\\OpenStack\ninstances_path = $state_path\\Instances\n[hyperv]\na = ${instances_path}!\nb = ${image_cache.name} $$5 \\$6\n[image_cache]\nname = x\n',
    );
    expect(read.text('DEFAULT', 'instances_path')).toBe('C:\\OpenStack\\Instances');
    expect(read.text('hyperv', 'a')).toBe('C:\\OpenStack\\Instances!');
    expect(read.text('hyperv', 'b')).toBe('x $5 $6');
  });

  it.each([
    ['an option before any group', 'a = 1', /before the first/],
    ['a line without a separator', '[DEFAULT]\nmy_ip', /line 2: .*name = value/],
    ['a value that begins nowhere', '[DEFAULT]\n  goes on', /none stands before/],
    ['a group without an end', '[DEFAULT\n', /\[name\]/],
  ])('refuses %s', (_what, text, message) => {
    expect(() => conf(text)).toThrow(message);
  });

  it('refuses values of a wrong kind, references to nothing and to themselves, by name', () => {
    expect(() => conf('[hyperv]\na = maybe').flag('hyperv', 'a')).toThrow(/\[hyperv\] a is "maybe"/);
    expect(() => conf('[hyperv]\na = 1.5').integer('hyperv', 'a')).toThrow(/whole number/);
    expect(() => conf('[hyperv]\na = $nothing').text('hyperv', 'a')).toThrow(/\$nothing/);
    expect(() => conf('[hyperv]\na = $a').text('hyperv', 'a')).toThrow(/refers to itself/);
    expect(() => NovaConf.read(['/nonexistent/nova.conf'])).toThrow(/nonexistent/);
  });
});

describe('the options of a deployment', () => {
  const read = conf(
    [
      '[DEFAULT]',
      'instances_path = D:\\Instances',
      'use_cow_images = false',
      'reserved_host_memory_mb = 2048',
      'cpu_allocation_ratio = 8.0',
      'something_of_another_service = 1',
      '[hyperv]',
      'dynamic_memory_ratio = 1.5',
      'enable_remotefx = True',
      'enable_instance_metrics_collection = true',
      'limit_cpu_features = yes',
      'vswitch_name =',
      '[image_cache]',
      'remove_unused_original_minimum_age_seconds = 60',
      'subdirectory_name = bases',
      '[pci]',
      'passthrough_whitelist = [{"vendor_id": "10de"}]',
    ].join('\n'),
  );

  it('reach the driver', () => {
    expect(driverOptions(read)).toEqual({
      instancesPath: 'D:\\Instances',
      useCowImages: false,
      dynamicMemoryRatio: 1.5,
      enableRemoteFx: true,
      enableInstanceMetricsCollection: true,
      limitCpuFeatures: true,
      removeUnusedOriginalMinimumAgeSeconds: 60,
      imageCacheSubdirectory: 'bases',
      pciPassthrough: true,
    });
  });

  it('reach the compute manager, also by an option’s former name', () => {
    expect(computeOptions(read)).toEqual({
      reservedHostMemoryMb: 2048,
      cpuAllocationRatio: 8,
      pciDeviceSpec: ['[{"vendor_id": "10de"}]'],
    });
    expect(computeConfig(computeOptions(conf(''))).pciAlias).toEqual([]);
    expect({ ...DEFAULT_CONFIG, ...driverOptions(conf('')) }).toEqual(DEFAULT_CONFIG);
  });
});
