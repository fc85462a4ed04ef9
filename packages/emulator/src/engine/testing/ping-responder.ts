import type { SwitchPort, VirtualSwitch } from '../virtual-switch.js';

const MAC = Buffer.from([0x02, 0, 0, 0, 0, 0x99]);
const ADDRESS = Buffer.from([10, 9, 8, 1]);
const ARP = 0x0806;
const IPV4 = 0x0800;

/** A station 10.9.8.1 at a switch that answers ARP and pings, and remembers who sent what. */
export class PingResponder implements SwitchPort {
  readonly senders = new Set<string>();
  #hub: VirtualSwitch | undefined;

  plugInto(hub: VirtualSwitch): void {
    this.#hub = hub;
  }

  deliver(frame: Buffer): void {
    this.senders.add((frame.toString('hex', 6, 12).match(/../g) ?? []).join(':'));
    const type = frame.readUInt16BE(12);
    if (type === ARP && frame.subarray(38, 42).equals(ADDRESS)) this.#send(frame, arpReply(frame));
    if (type === IPV4 && frame[23] === 1 && frame.subarray(30, 34).equals(ADDRESS))
      this.#send(frame, echoReply(frame));
  }

  #send(request: Buffer, payload: Buffer): void {
    const header = Buffer.concat([request.subarray(6, 12), MAC, request.subarray(12, 14)]);
    this.#hub?.forward(this, Buffer.concat([header, payload]));
  }
}

function arpReply(request: Buffer): Buffer {
  const reply = Buffer.from(request.subarray(14, 42));
  reply.writeUInt16BE(2, 6);
  MAC.copy(reply, 8);
  ADDRESS.copy(reply, 14);
  request.copy(reply, 18, 22, 32);
  return reply;
}

/** The request with its addresses swapped, which leaves the header's checksum as it is, and its type made a reply's. */
function echoReply(request: Buffer): Buffer {
  const reply = Buffer.from(request.subarray(14));
  request.copy(reply, 12, 30, 34);
  request.copy(reply, 16, 26, 30);
  reply[20] = 0;
  const sum = request.readUInt16BE(36) + 0x0800;
  reply.writeUInt16BE((sum & 0xffff) + (sum >>> 16), 22);
  return reply;
}
