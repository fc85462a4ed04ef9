import type { Socket } from 'node:net';
import { connect } from 'node:net';
import type { SwitchFabric, SwitchPort, VirtualSwitch } from '../virtual-switch.js';
import { FrameDecoder, encodeFrame } from './frame-stream.js';
import { IpCounter } from './ip-counter.js';

/** What waits for a guest that does not read; more is dropped. */
const BACKLOG_LIMIT = 1024 * 1024;
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2_000;

/**
 * Our end of a guest's network adapter: a connection to the socket on which QEMU listens, made again whenever it
 * is lost, and plugged into a switch or into none.
 */
export class NicCable implements SwitchPort {
  readonly #path: string;
  readonly #fabric: SwitchFabric;
  #socket: Socket | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = FIRST_RETRY_MS;
  #switchId: string | undefined;
  #switch: VirtualSwitch | undefined;
  #closed = false;
  /** The only address that the guest may send from, as it stands in frames; undefined: any. */
  #onlySource: Buffer | undefined;
  /** As the guest sees it; counted since this process has the cable. */
  readonly received = new IpCounter();
  readonly sent = new IpCounter();

  constructor(path: string, fabric: SwitchFabric) {
    this.#path = path;
    this.#fabric = fabric;
    this.#connect();
  }

  /** Plugs into a switch, moves to another one, or (null) out of any. */
  plug(switchId: string | null): void {
    if (this.#switchId !== undefined) this.#fabric.unplug(this.#switchId, this);
    this.#switchId = switchId ?? undefined;
    this.#switch = switchId === null || this.#closed ? undefined : this.#fabric.plug(switchId, this);
  }

  /** Source: Msvm_EthernetSwitchPortSecuritySettingData, AllowMacSpoofing. Null: any address may be used. */
  guard(mac: string | null): void {
    this.#onlySource = mac === null ? undefined : Buffer.from(mac.replaceAll(':', ''), 'hex');
  }

  deliver(frame: Buffer): void {
    const socket = this.#socket;
    if (socket === undefined || socket.connecting || socket.writableLength > BACKLOG_LIMIT) return;
    this.received.count(frame);
    socket.write(encodeFrame(frame));
  }

  close(): void {
    this.#closed = true;
    this.plug(null);
    clearTimeout(this.#retry);
    this.#socket?.destroy();
  }

  #connect(): void {
    const socket = connect(this.#path);
    const frames = new FrameDecoder();
    this.#socket = socket;
    socket.on('connect', () => {
      this.#retryMs = FIRST_RETRY_MS;
    });
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const frame of frames.push(chunk)) this.#take(frame);
      } catch {
        socket.destroy();
      }
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#connectLater());
  }

  #take(frame: Buffer): void {
    if (this.#switch === undefined) return;
    if (this.#onlySource !== undefined && !this.#onlySource.equals(frame.subarray(6, 12))) return;
    this.sent.count(frame);
    this.#switch.forward(this, frame);
  }

  #connectLater(): void {
    if (this.#closed) return;
    this.#retry = setTimeout(() => this.#connect(), this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, LAST_RETRY_MS);
  }
}
