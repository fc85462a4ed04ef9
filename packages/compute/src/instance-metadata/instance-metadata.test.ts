import type { DeviceMetadata, Vif, VifSubnet } from '@nova-hyperv/driver';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { instanceRecord } from '../testing/records.js';
import { configDriveFiles, lookUpMetadata, metadataInput } from './index.js';
import type { MetadataExtras, MetadataInput } from './index.js';
import { netmaskOf } from './netmask.js';
import { networkData } from './network-data.js';

const DISK: DeviceMetadata = {
  type: 'disk',
  bus: 'scsi',
  address: '0:0:0:1',
  serial: '1517bb04-38ed-4b4a-bef3-21bec7d38792',
  tags: [],
};
const NIC: DeviceMetadata = {
  type: 'nic',
  bus: 'none',
  address: null,
  mac: 'fa:16:3e:00:00:01',
  tags: ['front'],
  vlan: 7,
};
const SUBNET: VifSubnet = {
  id: 's4',
  version: 4,
  cidr: '10.0.0.0/24',
  gateway: '10.0.0.1',
  dns: ['9.9.9.9'],
  routes: [{ cidr: '192.168.0.0/16', gateway: '10.0.0.9' }],
  enableDhcp: false,
  dhcpServer: null,
  ipv6AddressMode: null,
};
const VIF: Vif = {
  portId: 'p1',
  mac: 'fa:16:3e:00:00:01',
  networkId: 'n1',
  networkLabel: 'private',
  vifType: 'hyperv',
  mtu: 1450,
  active: true,
  fixedIps: [{ address: '10.0.0.5', subnetId: 's4' }],
  subnets: [SUBNET],
};
const KEY = 'ssh-ed25519 AAAA me@here';

const EXTRAS: MetadataExtras = {
  securityGroups: ['default', 'web'],
  volumeDevices: ['/dev/sdb'],
  dhcpDomain: 'novalocal',
  vendorData: { region: 'north' },
  defaultAvailabilityZone: 'nova',
};

const RECORD = instanceRecord({
  id: 26,
  imageRef: '7a4f1c5e-1111-4000-8000-000000000002',
  displayName: 'My VM',
  hostname: 'my-vm',
  keyName: 'me',
  keyData: KEY,
  userData: Buffer.from('#!/bin/sh\n').toString('base64'),
  metadata: { role: 'web' },
  networkInfo: [VIF],
  deviceMetadata: [DISK, NIC],
});

const input = (changes: Partial<MetadataInput> = {}): MetadataInput => ({
  ...metadataInput(RECORD, EXTRAS),
  ...changes,
});
function answer(path: string, given = input()): string | undefined {
  const found = lookUpMetadata(given, path);
  return found?.kind === 'password' ? `password:${found.posted}` : found?.body.toString();
}
const objects = z.record(z.string(), z.unknown());
const json = (path: string, given = input()): Record<string, unknown> =>
  objects.parse(JSON.parse(answer(path, given) ?? 'null'));
const devices = (version: string) => json(`/openstack/${version}/meta_data.json`)['devices'];
const seed = () => String(json('/openstack/latest/meta_data.json')['random_seed']);
const lines = (path: string, given = input()) => answer(path, given)?.split('\n');

describe('OpenStack metadata', () => {
  it('lists its versions, and what each has', () => {
    expect(lines('/openstack')).toEqual([
      ...'2012-08-10 2013-04-04 2013-10-17 2015-10-15 2016-06-30 2016-10-06 2017-02-22 2018-08-27'.split(' '),
      '2020-10-14',
      'latest',
    ]);
    expect(lines('/openstack/2012-08-10')).toEqual(['meta_data.json', 'user_data']);
    expect(lines('/openstack/2013-10-17/')).toEqual([
      'meta_data.json',
      'user_data',
      'password',
      'vendor_data.json',
    ]);
    expect(lines('/openstack/latest', input({ userData: null }))).toEqual([
      'meta_data.json',
      'password',
      'vendor_data.json',
      'network_data.json',
      'vendor_data2.json',
    ]);
  });

  it.each([
    ['2012-08-10', []],
    ['2013-04-04', ['random_seed']],
    ['2015-10-15', ['random_seed', 'project_id']],
    ['2016-06-30', ['random_seed', 'project_id', 'devices']],
    ['2020-10-14', ['random_seed', 'project_id', 'devices', 'dedicated_cpus']],
    ['latest', ['random_seed', 'project_id', 'devices', 'dedicated_cpus']],
  ])('tells in %s what Nova tells', (version, added) => {
    const always = 'uuid meta public_keys keys hostname name launch_index availability_zone'.split(' ');
    const found = json(`/openstack/${version}/meta_data.json`);
    expect(Object.keys(found).toSorted()).toEqual([...always, ...added].toSorted());
    expect(found).toMatchObject({
      uuid: RECORD.uuid,
      meta: { role: 'web' },
      public_keys: { me: KEY },
      keys: [{ name: 'me', type: 'ssh', data: KEY }],
      hostname: 'my-vm.novalocal',
      name: 'My VM',
      launch_index: 0,
      availability_zone: 'nova',
    });
  });

  it('tells where devices are, in the words of the version', () => {
    const nic = { type: 'nic', bus: 'none', address: 'none', mac: 'fa:16:3e:00:00:01', tags: ['front'] };
    expect(devices('2016-06-30')).toEqual([DISK, nic]);
    expect(devices('2017-02-22')).toEqual([DISK, { ...nic, vlan: 7 }]);
    expect(devices('latest')).toEqual([DISK, { ...nic, vlan: 7, vf_trusted: false }]);
  });

  it('has 512 random bytes, others each time', () => {
    expect(Buffer.from(seed(), 'base64')).toHaveLength(512);
    expect(seed()).not.toBe(seed());
  });

  it('leaves out what the instance does not have', () => {
    const bare = input({ metadata: {}, keyName: null, userData: null, dhcpDomain: '' });
    const found = json('/openstack/latest/meta_data.json', bare);
    for (const name of ['meta', 'public_keys', 'keys', 'files', 'admin_pass']) {
      expect(found).not.toHaveProperty(name);
    }
    expect(found['hostname']).toBe('my-vm');
    expect(answer('/openstack/latest/user_data', bare)).toBeUndefined();
    expect(answer('/openstack/latest/network_data.json', input({ networkInfo: [] }))).toBe('{}');
  });

  it('hands out user data, vendor data and the posted password', () => {
    expect(answer('/openstack/latest/user_data')).toBe('#!/bin/sh\n');
    expect(json('/openstack/latest/vendor_data.json')).toEqual({ region: 'north' });
    expect(json('/openstack/latest/vendor_data2.json')).toEqual({ static: { region: 'north' } });
    const systemMetadata = { password_1: 'def', password_0: 'abc', password_2: '' };
    const posted = metadataInput({ ...RECORD, systemMetadata }, EXTRAS);
    expect(answer('/openstack/2013-04-04/password', posted)).toBe('password:abcdef');
    expect(answer('/openstack/2012-08-10/password', posted)).toBeUndefined();
  });

  it.each([
    '/openstack/2011-01-01/meta_data.json',
    '/openstack/latest/nothing',
    '/openstack/latest/meta_data.json/x',
    '/openstack/2012-08-10/network_data.json',
    '/openstack/content',
    '/openstack/content/0000',
    '/openstack/constructor',
    '/openstack/../../etc/passwd',
  ])('has nothing at %s', (path) => {
    expect(answer(path)).toBeUndefined();
  });
});

describe('EC2 metadata', () => {
  it('is a tree whose branches list their names', () => {
    const versions = '1.0 2007-01-19 2007-03-01 2007-08-29 2007-10-10 2007-12-15 2008-02-01 2008-09-01';
    for (const path of ['', '/', '/ec2']) {
      expect(lines(path)).toEqual([...versions.split(' '), '2009-04-04', 'latest']);
    }
    expect(lines('/latest')).toEqual(['meta-data/', 'user-data']);
    expect(lines('/ec2/1.0/meta-data/')).toEqual(
      (
        'ami-id ami-launch-index ami-manifest-path hostname instance-id local-ipv4 ' +
        'public-keys/ reservation-id security-groups'
      ).split(' '),
    );
    expect(lines('/2009-04-04/meta-data')).toEqual(
      (
        'ami-id ami-launch-index ami-manifest-path block-device-mapping/ hostname instance-action ' +
        'instance-id instance-type local-hostname local-ipv4 placement/ public-hostname ' +
        'public-ipv4 public-keys/ reservation-id security-groups'
      ).split(' '),
    );
  });

  it.each([
    ['ami-id', 'ami-7a4f1c5e'],
    ['instance-id', 'i-0000001a'],
    ['ami-launch-index', '0'],
    ['hostname', 'my-vm.novalocal'],
    ['local-ipv4', '10.0.0.5'],
    ['public-ipv4', ''],
    ['instance-type', 'm1.tiny'],
    ['security-groups', 'default\nweb'],
    ['placement/availability-zone', 'nova'],
    ['public-keys/', '0=me'],
    ['public-keys/0', 'openssh-key'],
    ['public-keys/0/openssh-key', KEY],
    ['block-device-mapping/', 'ami\nebs0\nroot'],
    ['block-device-mapping/root', '/dev/sda'],
    ['block-device-mapping/ebs0', '/dev/sdb'],
  ])('has at %s %j', (path, content) => {
    expect(answer(`/latest/meta-data/${path}`)).toBe(content);
  });

  it.each(['/latest/meta-data/hostname/x', '/latest/meta-data/constructor', '/2010-01-01', '/etc'])(
    'has nothing at %s',
    (path) => {
      expect(answer(path)).toBeUndefined();
    },
  );
});

describe('network_data.json', () => {
  it('tells links, networks and DNS servers', () => {
    expect(networkData([VIF])).toEqual({
      links: [
        {
          id: 'interface0',
          vif_id: 'p1',
          type: 'hyperv',
          mtu: 1450,
          ethernet_mac_address: 'fa:16:3e:00:00:01',
        },
      ],
      networks: [
        {
          id: 'network0',
          type: 'ipv4',
          link: 'interface0',
          network_id: 'n1',
          ip_address: '10.0.0.5',
          netmask: '255.255.255.0',
          routes: [
            { network: '0.0.0.0', netmask: '0.0.0.0', gateway: '10.0.0.1' },
            { network: '192.168.0.0', netmask: '255.255.0.0', gateway: '10.0.0.9' },
          ],
          services: [{ type: 'dns', address: '9.9.9.9' }],
        },
      ],
      services: [{ type: 'dns', address: '9.9.9.9' }],
    });
  });

  it('leaves addresses and MTU to DHCP where that is', () => {
    const subnets = [{ ...SUBNET, enableDhcp: true, dhcpServer: '10.0.0.2' }];
    expect(networkData([{ ...VIF, subnets }])).toMatchObject({
      links: [{ mtu: null }],
      networks: [{ id: 'network0', type: 'ipv4_dhcp', link: 'interface0', network_id: 'n1' }],
    });
  });

  it('has IPv6 beside IPv4, and skips interfaces without subnets', () => {
    const six: VifSubnet = {
      ...SUBNET,
      id: 's6',
      version: 6,
      cidr: 'fd00::/64',
      gateway: 'fd00::1',
      routes: [],
      ipv6AddressMode: 'slaac',
    };
    const { subnets: _none, ...without } = VIF;
    const vif = {
      ...VIF,
      subnets: [six, SUBNET],
      fixedIps: [...VIF.fixedIps, { address: 'fd00::5', subnetId: 's6' }],
    };
    const found = networkData([without, vif, { ...VIF, vifType: 'odd' }]);
    expect(found?.links).toMatchObject([{ id: 'interface0' }, { id: 'interface1', type: 'phy' }]);
    expect(found?.networks).toMatchObject([
      { id: 'network0', type: 'ipv4' },
      {
        id: 'network1',
        type: 'ipv6_slaac',
        ip_address: 'fd00::5',
        netmask: 'ffff:ffff:ffff:ffff::',
        routes: [{ network: '::', netmask: '::', gateway: 'fd00::1' }],
      },
      { id: 'network2', link: 'interface1' },
    ]);
  });

  it.each([
    ['10.0.0.0/8', '255.0.0.0'],
    ['10.0.0.0/23', '255.255.254.0'],
    ['10.0.0.1/32', '255.255.255.255'],
    ['0.0.0.0/0', '0.0.0.0'],
    ['fd00::/56', 'ffff:ffff:ffff:ff00::'],
    ['fd00::1/128', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ])('has the mask of %s', (cidr, mask) => {
    expect(netmaskOf(cidr)).toBe(mask);
  });
});

describe('the files of a config drive', () => {
  const files = [{ path: '/etc/motd', content: Buffer.from('hello') }];
  const drive = new Map(
    configDriveFiles(input({ files, adminPassword: 'S3cret' })).map(({ path, content }) => [
      path,
      Buffer.from(content).toString(),
    ]),
  );

  it('are those of both formats', () => {
    expect([...drive.keys()].filter((path) => path.startsWith('ec2'))).toEqual([
      'ec2/2009-04-04/user-data',
      'ec2/2009-04-04/meta-data.json',
      'ec2/latest/user-data',
      'ec2/latest/meta-data.json',
    ]);
    expect([...drive.keys()].filter((path) => path.startsWith('openstack/latest'))).toEqual([
      'openstack/latest/meta_data.json',
      'openstack/latest/user_data',
      'openstack/latest/vendor_data.json',
      'openstack/latest/network_data.json',
      'openstack/latest/vendor_data2.json',
    ]);
    expect(drive.has('openstack/2012-08-10/network_data.json')).toBe(false);
  });

  it('hold injected files and the password, which the service never tells', () => {
    expect(JSON.parse(drive.get('openstack/latest/meta_data.json') ?? '')).toMatchObject({
      admin_pass: 'S3cret',
      files: [{ path: '/etc/motd', content_path: '/content/0000' }],
    });
    expect(drive.get('openstack/content/0000')).toBe('hello');
    expect(json('/openstack/latest/meta_data.json')).not.toHaveProperty('admin_pass');
  });
});
