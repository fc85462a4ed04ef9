import type { ByteStream } from './byte-stream.js';
import type { NbdExport } from './exports.js';
import { transmissionFlags } from './exports.js';
import {
  BASE_ALLOCATION,
  BASE_ALLOCATION_ID,
  HandshakeFlag,
  Info,
  MAX_NAME_LENGTH,
  MAX_OPTION_LENGTH,
  MAX_REQUEST_LENGTH,
  NBD_MAGIC,
  Option,
  OPTION_MAGIC,
  OPTION_REPLY_MAGIC,
  OptionReply,
  TransmissionFlag,
} from './protocol.js';

/** What client and server agreed on. */
export interface Session {
  readonly export: NbdExport;
  /** The disk's size when they did. Bytes. */
  readonly size: number;
  readonly structuredReplies: boolean;
  readonly allocationContext: boolean;
}

/** Options that a client may send before it must have chosen an export. */
const MAX_OPTIONS = 256;

interface OptionRequest {
  readonly option: number;
  readonly data: Buffer;
}

/**
 * The negotiation of one connection, fixed newstyle.
 * @returns undefined when the client went away or must be sent away.
 */
export class Handshake {
  readonly #stream: ByteStream;
  readonly #exports: ReadonlyMap<string, NbdExport>;
  #noZeroes = false;
  #structured = false;
  /** The export that the client asked the allocation context for. */
  #contextFor: string | undefined;

  constructor(stream: ByteStream, exports: ReadonlyMap<string, NbdExport>) {
    this.#stream = stream;
    this.#exports = exports;
  }

  async run(): Promise<Session | undefined> {
    const greeting = Buffer.alloc(18);
    greeting.writeBigUInt64BE(NBD_MAGIC, 0);
    greeting.writeBigUInt64BE(OPTION_MAGIC, 8);
    greeting.writeUInt16BE(HandshakeFlag.fixedNewstyle | HandshakeFlag.noZeroes, 16);
    await this.#stream.write(greeting);
    const clientFlags = (await this.#stream.read(4)).readUInt32BE(0);
    this.#noZeroes = (clientFlags & HandshakeFlag.noZeroes) !== 0;
    if ((clientFlags & ~(HandshakeFlag.fixedNewstyle | HandshakeFlag.noZeroes)) !== 0) return undefined;
    for (let count = 0; count < MAX_OPTIONS; count += 1) {
      const request = await this.#readOption();
      if (request === undefined) return undefined;
      const session = await this.#answer(request);
      if (session === 'closed') return undefined;
      if (session !== undefined) return session;
    }
    return undefined;
  }

  async #readOption(): Promise<OptionRequest | undefined> {
    const head = await this.#stream.read(16);
    if (head.readBigUInt64BE(0) !== OPTION_MAGIC) return undefined;
    const length = head.readUInt32BE(12);
    if (length > MAX_OPTION_LENGTH) return undefined;
    return { option: head.readUInt32BE(8), data: await this.#stream.read(length) };
  }

  async #answer(request: OptionRequest): Promise<Session | 'closed' | undefined> {
    switch (request.option) {
      case Option.exportName:
        return this.#exportName(request.data);
      case Option.abort:
        await this.#reply(request.option, OptionReply.ack);
        return 'closed';
      case Option.list:
        await this.#list(request);
        return undefined;
      case Option.info:
      case Option.go:
        return this.#infoOrGo(request);
      case Option.structuredReply:
        return this.#structuredReply(request);
      case Option.listMetaContext:
      case Option.setMetaContext:
        await this.#metaContext(request);
        return undefined;
      default:
        await this.#reply(request.option, OptionReply.errorUnsupported);
        return undefined;
    }
  }

  #session(served: NbdExport): Session {
    return {
      export: served,
      size: served.disk.virtualSize,
      structuredReplies: this.#structured,
      allocationContext: this.#structured && this.#contextFor === served.name,
    };
  }

  #flags(served: NbdExport): number {
    return transmissionFlags(served) | (this.#structured ? TransmissionFlag.sendDf : 0);
  }

  /** The old way to choose: there is no way to say no but to hang up. */
  async #exportName(data: Buffer): Promise<Session | 'closed'> {
    const served = this.#exports.get(data.toString('utf8'));
    if (served === undefined) return 'closed';
    const session = this.#session(served);
    const answer = Buffer.alloc(this.#noZeroes ? 10 : 134);
    answer.writeBigUInt64BE(BigInt(session.size), 0);
    answer.writeUInt16BE(this.#flags(served), 8);
    await this.#stream.write(answer);
    return session;
  }

  async #list({ option, data }: OptionRequest): Promise<void> {
    if (data.length > 0) return this.#reply(option, OptionReply.errorInvalid);
    for (const name of this.#exports.keys()) await this.#reply(option, OptionReply.server, withLength(name));
    return this.#reply(option, OptionReply.ack);
  }

  async #infoOrGo({ option, data }: OptionRequest): Promise<Session | undefined> {
    const parsed = parseInfoRequest(data);
    if (parsed === undefined) {
      await this.#reply(option, OptionReply.errorInvalid);
      return undefined;
    }
    const served = this.#exports.get(parsed.name);
    if (served === undefined) {
      await this.#reply(option, OptionReply.errorUnknown, Buffer.from('There is no export of this name.'));
      return undefined;
    }
    const session = this.#session(served);
    const info = Buffer.alloc(12);
    info.writeUInt16BE(Info.export, 0);
    info.writeBigUInt64BE(BigInt(session.size), 2);
    info.writeUInt16BE(this.#flags(served), 10);
    await this.#reply(option, OptionReply.info, info);
    for (const wanted of parsed.wanted) {
      const extra = extraInfo(wanted, served);
      if (extra !== undefined) await this.#reply(option, OptionReply.info, extra);
    }
    await this.#reply(option, OptionReply.ack);
    return option === Option.go ? session : undefined;
  }

  async #structuredReply({ option, data }: OptionRequest): Promise<undefined> {
    if (data.length > 0) await this.#reply(option, OptionReply.errorInvalid);
    else {
      this.#structured = true;
      await this.#reply(option, OptionReply.ack);
    }
    return undefined;
  }

  async #metaContext({ option, data }: OptionRequest): Promise<void> {
    const parsed = this.#structured ? parseMetaContextRequest(data) : undefined;
    if (parsed === undefined) return this.#reply(option, OptionReply.errorInvalid);
    if (!this.#exports.has(parsed.name)) return this.#reply(option, OptionReply.errorUnknown);
    const isSet = option === Option.setMetaContext;
    const matches = parsed.queries.some(
      (query) => query === BASE_ALLOCATION || (!isSet && query === 'base:'),
    );
    const isWanted = matches || (!isSet && parsed.queries.length === 0);
    if (isSet) this.#contextFor = isWanted ? parsed.name : undefined;
    if (isWanted) {
      const id = Buffer.alloc(4);
      id.writeUInt32BE(isSet ? BASE_ALLOCATION_ID : 0);
      await this.#reply(option, OptionReply.metaContext, Buffer.concat([id, Buffer.from(BASE_ALLOCATION)]));
    }
    return this.#reply(option, OptionReply.ack);
  }

  #reply(option: number, type: number, data: Buffer = Buffer.alloc(0)): Promise<void> {
    const head = Buffer.alloc(20);
    head.writeBigUInt64BE(OPTION_REPLY_MAGIC, 0);
    head.writeUInt32BE(option, 8);
    head.writeUInt32BE(type, 12);
    head.writeUInt32BE(data.length, 16);
    return this.#stream.write(Buffer.concat([head, data]));
  }
}

function withLength(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

function parseInfoRequest(data: Buffer): { name: string; wanted: readonly number[] } | undefined {
  if (data.length < 6) return undefined;
  const nameLength = data.readUInt32BE(0);
  if (nameLength > MAX_NAME_LENGTH || 4 + nameLength + 2 > data.length) return undefined;
  const count = data.readUInt16BE(4 + nameLength);
  const first = 4 + nameLength + 2;
  if (first + count * 2 !== data.length) return undefined;
  const wanted = Array.from({ length: count }, (_, index) => data.readUInt16BE(first + index * 2));
  return { name: data.toString('utf8', 4, 4 + nameLength), wanted };
}

function extraInfo(wanted: number, served: NbdExport): Buffer | undefined {
  const type = Buffer.alloc(2);
  type.writeUInt16BE(wanted);
  if (wanted === Info.name) return Buffer.concat([type, Buffer.from(served.name)]);
  if (wanted === Info.description) return Buffer.concat([type, Buffer.from(served.description)]);
  if (wanted !== Info.blockSize) return undefined;
  const sizes = Buffer.alloc(12);
  // Any byte may be addressed; whole physical sectors are what is fast.
  sizes.writeUInt32BE(1, 0);
  sizes.writeUInt32BE(Math.max(4096, served.disk.physicalSectorSize), 4);
  sizes.writeUInt32BE(MAX_REQUEST_LENGTH, 8);
  return Buffer.concat([type, sizes]);
}

function parseMetaContextRequest(data: Buffer): { name: string; queries: readonly string[] } | undefined {
  let at = 0;
  const text = (): string | undefined => {
    if (at + 4 > data.length) return undefined;
    const length = data.readUInt32BE(at);
    if (length > MAX_NAME_LENGTH || at + 4 + length > data.length) return undefined;
    at += 4 + length;
    return data.toString('utf8', at - length, at);
  };
  const name = text();
  if (name === undefined || at + 4 > data.length) return undefined;
  const count = data.readUInt32BE(at);
  at += 4;
  const queries: string[] = [];
  for (let index = 0; index < count; index += 1) {
    const query = text();
    if (query === undefined) return undefined;
    queries.push(query);
  }
  return at === data.length ? { name, queries } : undefined;
}
