import { describe, expect, it } from 'vitest';
import type { VolumeDevice } from '../volume-types.js';
import { addressOf, chapOf, shareAccountOf } from './address.js';

const volume = (driverVolumeType: string, data: Readonly<Record<string, unknown>>): VolumeDevice => ({
  volumeId: 'v1',
  connectionInfo: { driverVolumeType, data },
  bootIndex: null,
  diskBus: null,
  deviceType: null,
  tag: null,
});
const IQN = 'iqn.2010-10.org.openstack:volume-1';
const iscsi = (data: Readonly<Record<string, unknown>>) =>
  volume('iscsi', { target_portal: '10.0.0.1:3260', target_iqn: IQN, target_lun: 1, ...data });

const options = (text: string) => shareAccountOf(volume('smbfs', { options: text }));

describe('where a volume is', () => {
  it.each<[string, VolumeDevice, object]>([
    [
      'one path of iSCSI',
      iscsi({ auth_username: 'u', auth_password: 'p' }),
      { type: 'iscsi', paths: [{ portal: { address: '10.0.0.1', port: 3260 }, target: IQN, lun: 1 }] },
    ],
    [
      'several, with an address of IPv6',
      iscsi({
        target_portals: ['[fd00::1]:3260', '10.0.0.2:3261'],
        target_iqns: [IQN, `${IQN}-b`],
        target_luns: ['3', 4],
      }),
      {
        type: 'iscsi',
        paths: [
          { portal: { address: 'fd00::1', port: 3260 }, target: IQN, lun: 3 },
          { portal: { address: '10.0.0.2', port: 3261 }, target: `${IQN}-b`, lun: 4 },
        ],
      },
    ],
    [
      'names of Fibre Channel, however they are written',
      volume('fibre_channel', { target_wwn: '50:0A:09:81:FF:FF:FF:01', target_lun: 0 }),
      { type: 'fibre_channel', targetWwpns: ['500a0981ffffff01'], lun: 0 },
    ],
    [
      'a file on a share',
      volume('smbfs', { export: '//filer/vols', name: 'volume-1.vhdx' }),
      { type: 'smbfs', share: '\\\\filer\\vols', file: 'volume-1.vhdx' },
    ],
  ])('%s', (_what, device, address) => {
    expect(addressOf(device)).toEqual({ volumeId: 'v1', ...address });
  });

  it.each<[string, VolumeDevice]>([
    ['a portal without a port', iscsi({ target_portal: '10.0.0.1' })],
    ['a target that is none', iscsi({ target_iqn: "x' OR ''='" })],
    ['a unit below 0', iscsi({ target_lun: -1 })],
    ['paths that do not go together', iscsi({ target_portals: ['10.0.0.1:3260'], target_iqns: [] })],
    ['a port name that is none', volume('fibre_channel', { target_wwn: 'x', target_lun: 0 })],
    ['a file out of the share', volume('smbfs', { export: '//a/b', name: '..\\..\\x.vhdx' })],
    ['a stream', volume('smbfs', { export: '//a/b', name: 'x.vhdx:s.vhdx' })],
    ['a device', volume('smbfs', { export: '\\\\.\\pipe\\x', name: 'x.vhdx' })],
    ['no disk', volume('smbfs', { export: '//a/b', name: 'x.txt' })],
    ['nothing', volume('iscsi', {})],
  ])('refuses %s, and tells no secret', (_what, { connectionInfo, ...device }) => {
    const data = { ...connectionInfo.data, auth_password: 's3cret', options: 'password=s3cret' };
    const act = () => addressOf({ ...device, connectionInfo: { ...connectionInfo, data } });
    expect(act).toThrow(expect.objectContaining({ novaName: 'VolumeAttachFailed' }));
    expect(act).not.toThrow(/s3cret/);
  });

  it('has its accounts apart', () => {
    expect(chapOf(iscsi({ auth_username: 'u', auth_password: 'p' }))).toEqual({ username: 'u', secret: 'p' });
    expect(chapOf(iscsi({}))).toBeUndefined();
    expect(options('-o username=LAB\\u,password=p=1')).toEqual({ username: 'LAB\\u', password: 'p=1' });
    expect(options('-o user=u, pass=p')).toEqual({ username: 'u', password: 'p' });
    expect(options('-o guest')).toBeUndefined();
  });
});
