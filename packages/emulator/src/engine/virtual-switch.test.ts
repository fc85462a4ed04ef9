import { describe, expect, it } from 'vitest';
import { SwitchFabric, VirtualSwitch } from './virtual-switch.js';
import type { SwitchPort } from './virtual-switch.js';

class Listener implements SwitchPort {
  readonly heard: Buffer[] = [];
  deliver(received: Buffer): void {
    this.heard.push(received);
  }
}

const BROADCAST = 0xff;

function address(last: number): number[] {
  return last === BROADCAST ? Array<number>(6).fill(last) : [2, 0, 0, 0, 0, last];
}

/** A frame between stations 02:00:00:00:00:NN. */
function frame(to: number, from: number): Buffer {
  return Buffer.from([...address(to), ...address(from), 0x08, 0x00, 1, 2, 3]);
}

function network(now?: () => number): { hub: VirtualSwitch; a: Listener; b: Listener; c: Listener } {
  const hub = new VirtualSwitch(now);
  const [a, b, c] = [new Listener(), new Listener(), new Listener()];
  for (const port of [a, b, c]) hub.plug(port);
  return { hub, a, b, c };
}

describe('a virtual switch', () => {
  it('floods what it does not know, and from then on sends to the one port', () => {
    const { hub, a, b, c } = network();
    hub.forward(a, frame(2, 1));
    expect([a, b, c].map((port) => port.heard.length)).toEqual([0, 1, 1]);
    hub.forward(b, frame(1, 2));
    expect([a, b, c].map((port) => port.heard.length)).toEqual([1, 1, 1]);
    hub.forward(a, frame(2, 1));
    expect([a, b, c].map((port) => port.heard.length)).toEqual([1, 2, 1]);
  });

  it('sends broadcasts to all but the sender, and nothing back where it came from', () => {
    const { hub, a, b, c } = network();
    hub.forward(a, frame(BROADCAST, 1));
    expect([a, b, c].map((port) => port.heard.length)).toEqual([0, 1, 1]);
    hub.forward(a, frame(1, 9));
    expect(a.heard).toHaveLength(0);
  });

  it('follows a station that moves, forgets one that is silent or unplugged', () => {
    let time = 0;
    const { hub, a, b, c } = network(() => time);
    hub.forward(a, frame(BROADCAST, 1));
    hub.forward(b, frame(BROADCAST, 1));
    hub.forward(c, frame(1, 3));
    expect([a.heard.length, b.heard.length]).toEqual([1, 2]);
    time = 300_001;
    hub.forward(c, frame(1, 3));
    expect([a.heard.length, b.heard.length]).toEqual([2, 3]);
    hub.unplug(b);
    hub.forward(c, frame(1, 3));
    expect([a.heard.length, b.heard.length]).toEqual([3, 3]);
  });

  it('passes on neither stubs nor what comes from a port that is not plugged', () => {
    const { hub, a, b } = network();
    hub.forward(a, Buffer.alloc(13));
    hub.unplug(a);
    hub.forward(a, frame(BROADCAST, 1));
    expect(b.heard).toHaveLength(0);
  });

  it('remembers a bounded number of addresses', () => {
    const { hub, a, b, c } = network();
    for (let station = 0; station < 5000; station += 1) {
      const flood = frame(BROADCAST, 0);
      flood.writeUInt16BE(station, 10);
      hub.forward(a, flood);
    }
    const [before, old, recent] = [c.heard.length, frame(0, 7), frame(0, 7)];
    old.writeUInt16BE(1, 4);
    recent.writeUInt16BE(4999, 4);
    hub.forward(b, recent);
    expect(c.heard).toHaveLength(before);
    hub.forward(b, old);
    expect(c.heard).toHaveLength(before + 1);
  });

  it('is apart from the other switches of the fabric', () => {
    const fabric = new SwitchFabric();
    const [a, b, other] = [new Listener(), new Listener(), new Listener()];
    const blue = fabric.plug('blue', a);
    fabric.plug('blue', b);
    fabric.plug('red', other);
    blue.forward(a, frame(BROADCAST, 1));
    expect([b.heard.length, other.heard.length]).toEqual([1, 0]);
    fabric.unplug('blue', b);
    blue.forward(a, frame(BROADCAST, 1));
    expect(b.heard).toHaveLength(1);
  });
});
