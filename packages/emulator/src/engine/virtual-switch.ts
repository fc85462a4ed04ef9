/** One end of a cable at a switch. */
export interface SwitchPort {
  /** Takes a frame to whatever is plugged in. Never waits: what cannot be taken is dropped, as a switch does. */
  deliver(frame: Buffer): void;
}

/** Addresses remembered per switch; the oldest goes when there are more. */
const MAX_ADDRESSES = 4096;
const ADDRESS_LIFETIME_MS = 300_000;
const ETHERNET_HEADER = 14;

interface Learned {
  port: SwitchPort;
  seenAt: number;
}

/** A learning Ethernet switch (IEEE 802.1D without spanning tree). VLANs and port rules would go into `forward`. */
export class VirtualSwitch {
  readonly #ports = new Set<SwitchPort>();
  /** In the order in which they were last seen. */
  readonly #addresses = new Map<string, Learned>();
  readonly #now: () => number;

  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  plug(port: SwitchPort): void {
    this.#ports.add(port);
  }

  unplug(port: SwitchPort): void {
    this.#ports.delete(port);
    for (const [address, learned] of this.#addresses) {
      if (learned.port === port) this.#addresses.delete(address);
    }
  }

  get isEmpty(): boolean {
    return this.#ports.size === 0;
  }

  /** Takes a frame in by a port that is plugged and passes it on. */
  forward(from: SwitchPort, frame: Buffer): void {
    if (frame.length < ETHERNET_HEADER || !this.#ports.has(from)) return;
    this.#learn(frame, from);
    const to = this.#lookUp(frame);
    if (to !== undefined) {
      if (to !== from) to.deliver(frame);
      return;
    }
    for (const port of this.#ports) {
      if (port !== from) port.deliver(frame);
    }
  }

  #learn(frame: Buffer, port: SwitchPort): void {
    // A group address is nobody's source.
    if (((frame[6] ?? 1) & 1) !== 0) return;
    const address = frame.toString('latin1', 6, 12);
    this.#addresses.delete(address);
    this.#addresses.set(address, { port, seenAt: this.#now() });
    if (this.#addresses.size <= MAX_ADDRESSES) return;
    const oldest = this.#addresses.keys().next();
    if (oldest.done !== true) this.#addresses.delete(oldest.value);
  }

  /** undefined: to everybody. */
  #lookUp(frame: Buffer): SwitchPort | undefined {
    if (((frame[0] ?? 1) & 1) !== 0) return undefined;
    const learned = this.#addresses.get(frame.toString('latin1', 0, 6));
    return learned !== undefined && this.#now() - learned.seenAt <= ADDRESS_LIFETIME_MS
      ? learned.port
      : undefined;
  }
}

/** The switches of one network by their ids. Hosts that are given the same fabric reach one another. */
export class SwitchFabric {
  readonly #switches = new Map<string, VirtualSwitch>();

  plug(switchId: string, port: SwitchPort): VirtualSwitch {
    let found = this.#switches.get(switchId);
    if (found === undefined) {
      found = new VirtualSwitch();
      this.#switches.set(switchId, found);
    }
    found.plug(port);
    return found;
  }

  unplug(switchId: string, port: SwitchPort): void {
    const found = this.#switches.get(switchId);
    found?.unplug(port);
    if (found?.isEmpty === true) this.#switches.delete(switchId);
  }
}
