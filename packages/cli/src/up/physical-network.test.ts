import { plugUplink, SwitchFabric, type SwitchPort, type VirtualSwitch } from '@nova-hyperv/emulator';
import { describe, expect, it } from 'vitest';
import { PhysicalNetwork } from './physical-network.js';

const ALL = 'f'.repeat(12);
const frame = (to: string, from: string): Buffer => Buffer.from(`${to}${from}0800`, 'hex');

/** A host with one guest on its external switch. */
class Host implements SwitchPort {
  readonly frames: string[] = [];
  readonly #fabric = new SwitchFabric();
  readonly #hub: VirtualSwitch;
  constructor() {
    this.#hub = this.#fabric.plug('S', this);
  }
  deliver(bytes: Buffer): void {
    this.frames.push(bytes.toString('hex'));
  }
  plugUplink(name: string, receive: (bytes: Buffer) => void) {
    return plugUplink([{ id: 'S', name, adapterId: '', portId: '', mac: '' }], this.#fabric, name, receive);
  }
  say(bytes: Buffer): void {
    this.#hub.forward(this, bytes);
  }
}

describe('the physical network', () => {
  it('joins guests of several hosts and the network node', () => {
    const network = new PhysicalNetwork();
    const [one, two] = [new Host(), new Host()];
    const node: string[] = [];
    let answer: ((bytes: Buffer) => void) | undefined;
    network.plugNode({
      attach: (send) => {
        answer = send;
        return { receive: (bytes) => node.push(bytes.toString('hex')) };
      },
    });
    for (const host of [one, two]) network.plugHost(host, 'external');
    const [a, b, n] = ['000000000001', '000000000002', '00000000000a'];
    one.say(frame(ALL, a));
    expect(two.frames).toEqual([frame(ALL, a).toString('hex')]);
    expect(node).toEqual([frame(ALL, a).toString('hex')]);
    two.say(frame(a, b));
    expect(one.frames).toEqual([frame(a, b).toString('hex')]);
    answer?.(frame(b, n));
    expect(two.frames.at(-1)).toBe(frame(b, n).toString('hex'));
    expect(one.frames).toHaveLength(1);
    expect(node).toHaveLength(1);
    network.close();
    one.say(frame(ALL, a));
    expect(two.frames).toHaveLength(2);
  });
});
