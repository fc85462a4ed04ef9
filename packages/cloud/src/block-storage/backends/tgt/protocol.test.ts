import { describe, expect, it } from 'vitest';
import { decodeResponseHead, encodeRequest, errorText, MODE, OP, parseTargets } from './protocol.js';

/** What tgtd 1.0.85 says of a target with one initiator logged in. */
const SHOWN = `Target 7: iqn.2010-10.org.openstack:volume-x
    System information:
        Driver: iscsi
        State: ready
    I_T nexus information:
        I_T nexus: 3
            Initiator: iqn.1991-05.com.microsoft:host alias: host
            Connection: 0
                IP Address: 127.0.0.1
    LUN information:
        LUN: 0
            Type: controller
            Online: Yes
            Backing store path: None
        LUN: 1
            Type: disk
            Size: 1074 MB, Block size: 512
            Online: No
            Backing store type: rdwr
            Backing store path: /srv/a: b.raw
            Backing store flags: 
    Account information:
        someone
    ACL information:
        iqn.1991-05.com.microsoft:host
        iqn.other:host
Target 9: iqn.empty
    Account information:
    ACL information:
`;

describe('the management protocol of tgtd', () => {
  it('lays requests out as the structure of tgtadm', () => {
    const bytes = encodeRequest({ mode: MODE.account, op: OP.bind, tid: 7, text: 'user=u' });
    expect(bytes.length).toBe(120 + 'user=u'.length + 1);
    const words = (offset: number): number => bytes.readUInt32LE(offset);
    expect([words(0), words(4), words(72), words(76)]).toEqual([7, 3, bytes.length, 7]);
    expect(bytes.toString('latin1', 8, 14)).toBe('iscsi\0');
    expect(bytes.toString('latin1', 120)).toBe('user=u\0');
    expect(encodeRequest({ mode: MODE.target, op: OP.show }).readInt32LE(76)).toBe(-1);
  });

  it('bounds what is sent', () => {
    expect(() => encodeRequest({ mode: MODE.target, op: OP.new, text: 'x'.repeat(9000) })).toThrow(
      RangeError,
    );
  });

  it('tells errors from answers', () => {
    const head = Buffer.alloc(8);
    head.writeUInt32LE(13, 0);
    head.writeUInt32LE(8 + 5, 4);
    expect(decodeResponseHead(head)).toEqual({ error: 13, textLength: 5 });
    expect(errorText(13)).toBe('this access control rule does not exist');
    expect(errorText(99)).toBe('error 99');
  });

  it('reads targets', () => {
    expect(parseTargets(SHOWN)).toEqual([
      {
        tid: 7,
        name: 'iqn.2010-10.org.openstack:volume-x',
        sessions: [{ sid: 3, initiator: 'iqn.1991-05.com.microsoft:host', cids: [0] }],
        luns: [
          { lun: 0, path: 'None', isOnline: true },
          { lun: 1, path: '/srv/a: b.raw', isOnline: false },
        ],
        accounts: ['someone'],
        acl: ['iqn.1991-05.com.microsoft:host', 'iqn.other:host'],
      },
      { tid: 9, name: 'iqn.empty', sessions: [], luns: [], accounts: [], acl: [] },
    ]);
    expect(parseTargets('')).toEqual([]);
  });
});
