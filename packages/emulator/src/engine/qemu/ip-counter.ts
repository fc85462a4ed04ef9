import type { IpBytes } from '../engine.js';

const ETHER_TYPE = { ipv4: 0x0800, ipv6: 0x86dd } as const;
/** IEEE 802.1Q: four bytes stand between the addresses and the type. */
const VLAN_TAG = 0x8100;
const TYPE_AT = 12;
const TAG_BYTES = 4;

/** Counts bytes of Ethernet frames that carry IP. */
export class IpCounter {
  #ipv4 = 0;
  #ipv6 = 0;

  get bytes(): IpBytes {
    return { ipv4: this.#ipv4, ipv6: this.#ipv6 };
  }

  count(frame: Buffer): void {
    const type = etherTypeOf(frame);
    if (type === ETHER_TYPE.ipv4) this.#ipv4 += frame.length;
    else if (type === ETHER_TYPE.ipv6) this.#ipv6 += frame.length;
  }
}

function etherTypeOf(frame: Buffer): number | undefined {
  if (frame.length < TYPE_AT + 2) return undefined;
  const type = frame.readUInt16BE(TYPE_AT);
  if (type !== VLAN_TAG) return type;
  return frame.length < TYPE_AT + TAG_BYTES + 2 ? undefined : frame.readUInt16BE(TYPE_AT + TAG_BYTES);
}
