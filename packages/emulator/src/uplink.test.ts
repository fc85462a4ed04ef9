import { describe, expect, it } from 'vitest';
import { SwitchFabric } from './engine/virtual-switch.js';
import type { SwitchPort } from './engine/virtual-switch.js';
import { plugUplink } from './uplink.js';

const SWITCHES = [{ id: 'S1', name: 'external', adapterId: 'A', portId: 'P', mac: '00155D000001' }];

const frame = (to: string, from: string): Buffer => Buffer.from(`${to}${from}0800`, 'hex');
const ALL = 'f'.repeat(12);
const GUEST = '00155d000002';
const OUTSIDE = '00155d000003';

class Port implements SwitchPort {
  readonly frames: string[] = [];
  deliver(bytes: Buffer): void {
    this.frames.push(bytes.toString('hex'));
  }
}

describe('the wire behind an external switch', () => {
  it('carries what the switch sends out, and takes in what is put onto it, until it is unplugged', () => {
    const fabric = new SwitchFabric();
    const guest = new Port();
    const other = new Port();
    const hub = fabric.plug('S1', guest);
    fabric.plug('S1', other);
    const outside: string[] = [];
    const uplink = plugUplink(SWITCHES, fabric, 'external', (bytes) => outside.push(bytes.toString('hex')));
    hub.forward(guest, frame(ALL, GUEST));
    expect(outside).toEqual([frame(ALL, GUEST).toString('hex')]);
    uplink.send(frame(GUEST, OUTSIDE));
    expect(guest.frames).toEqual([frame(GUEST, OUTSIDE).toString('hex')]);
    // Only the broadcast: the switch has learned where the guest is.
    expect(other.frames).toEqual([frame(ALL, GUEST).toString('hex')]);
    uplink.unplug();
    hub.forward(guest, frame(ALL, GUEST));
    uplink.send(frame(GUEST, OUTSIDE));
    expect(outside).toHaveLength(1);
    expect(guest.frames).toHaveLength(1);
  });

  it('is there for switches that are there, also of a host without guests', () => {
    expect(() => plugUplink(SWITCHES, undefined, 'internal', () => undefined)).toThrow(/it has: external/);
    plugUplink(SWITCHES, undefined, 'external', () => undefined).send(frame(ALL, OUTSIDE));
  });
});
