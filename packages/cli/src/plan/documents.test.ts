import { describe, expect, it } from 'vitest';
import { flavorOfDocument, imageOfDocument } from './documents.js';

describe('imageOfDocument', () => {
  const properties = { hw_machine_type: 'hyperv-gen2', os_hidden: false };
  const expected = { hw_machine_type: 'hyperv-gen2', os_hidden: 'false' };
  it('reads what the client prints', () => {
    const document = {
      id: 'i',
      disk_format: 'vhd',
      container_format: 'bare',
      min_disk: 2,
      min_ram: 64,
      size: 5,
      properties,
    };
    expect(imageOfDocument(document, 'f')).toMatchObject({
      id: 'i',
      diskFormat: 'vhd',
      minDiskGb: 2,
      minRamMb: 64,
      properties: expected,
    });
  });
  it('reads what Glance itself prints, and properties as text', () => {
    const flat = { id: 'i', disk_format: 'iso', hw_machine_type: 'hyperv-gen2', os_type: null, size: null };
    expect(imageOfDocument(flat, 'f').properties).toEqual({ hw_machine_type: 'hyperv-gen2' });
    const text = { disk_format: 'vhdx', properties: "a='1', hypervisor_version_requires='>=6.3,<11'" };
    expect(imageOfDocument(text, 'f').properties).toEqual({
      a: '1',
      hypervisor_version_requires: '>=6.3,<11',
    });
  });
  it.each([[[]], [{}], [{ disk_format: 'vhd', min_ram: -1 }], [{ disk_format: 'vhd', properties: 'a=b' }]])(
    'refuses %j and names the file',
    (document) => {
      expect(() => imageOfDocument(document, 'image.json')).toThrow(/^image\.json: /);
    },
  );
});

describe('flavorOfDocument', () => {
  it('reads sizes by their old and new names', () => {
    const document = {
      name: 'f',
      vcpus: 2,
      ram: 512,
      disk: 10,
      'OS-FLV-EXT-DATA:ephemeral': 3,
      swap: '',
      properties: { 'hw:numa_nodes': '2' },
    };
    expect(flavorOfDocument(document, 'f')).toMatchObject({
      vcpus: 2,
      memoryMb: 512,
      rootGb: 10,
      ephemeralGb: 3,
      swapMb: 0,
      extraSpecs: { 'hw:numa_nodes': '2' },
    });
    expect(() => flavorOfDocument({ vcpus: 1.5, ram: 1, disk: 1 }, 'flavor.json')).toThrow(
      /flavor\.json: vcpus/,
    );
    expect(() => flavorOfDocument({ vcpus: 1, disk: 1 }, 'flavor.json')).toThrow(/ram/);
  });
});
