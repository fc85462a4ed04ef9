import type { NetworkNode } from '@nova-hyperv/cloud';
import { VirtualSwitch, type EmulatedHost, type SwitchPort, type Uplink } from '@nova-hyperv/emulator';

/** The physical network that the hosts' external switches are connected to: a switch between them and the cloud's network node. */
export class PhysicalNetwork {
  readonly #switch = new VirtualSwitch();
  readonly #unplug: (() => void)[] = [];

  plugHost(host: Pick<EmulatedHost, 'plugUplink'>, switchName: string): void {
    let uplink: Uplink | undefined;
    const port: SwitchPort = { deliver: (frame) => uplink?.send(frame) };
    this.#plug(port);
    const plugged = host.plugUplink(switchName, (frame) => this.#switch.forward(port, frame));
    uplink = plugged;
    this.#unplug.push(() => plugged.unplug());
  }

  plugNode(node: Pick<NetworkNode, 'attach'>): void {
    const port: SwitchPort = { deliver: (frame) => cable.receive(frame) };
    const cable = node.attach((frame) => this.#switch.forward(port, frame));
    this.#plug(port);
  }

  #plug(port: SwitchPort): void {
    this.#switch.plug(port);
    this.#unplug.push(() => this.#switch.unplug(port));
  }

  close(): void {
    for (const unplug of this.#unplug.splice(0)) unplug();
  }
}
