import { createHash, randomBytes } from 'node:crypto';
import { HEADER_BYTES, PduSocket } from './pdu.js';
import type { Pdu } from './pdu.js';
import { IscsiError, loginStatus } from './status.js';

/** Opcodes (RFC 7143, 11.2.1.2). */
const OP = {
  scsiCommand: 0x01,
  login: 0x03,
  text: 0x04,
  logout: 0x06,
  immediate: 0x40,
  scsiResponse: 0x21,
  loginResponse: 0x23,
  textResponse: 0x24,
  dataIn: 0x25,
} as const;
const FINAL = 0x80;
const CONTINUES = 0x40;
const STAGE = { security: 0, operational: 1, full: 3 } as const;
const MOST_LOGIN_STEPS = 16;
const MOST_TEXT_BYTES = 1 << 18;
const NO_TAG = 0xffff_ffff;
const TIMEOUT_MS = 10_000;
const CHAP_MD5 = '5';
const MOST_CHALLENGE_BYTES = 1024;

export interface IscsiPortal {
  readonly address: string;
  readonly port: number;
}

export interface ChapCredentials {
  readonly username: string;
  readonly secret: string;
}

export interface LoginOptions {
  readonly initiatorName: string;
  readonly chap?: ChapCredentials | undefined;
  /** Of the connection and of each answer; default 10 s. */
  readonly timeoutMs?: number;
}

export interface ScsiAnswer {
  /** 0 good, 2 check condition … (SAM-5). */
  readonly status: number;
  readonly data: Buffer;
}

const OPERATIONAL: readonly (readonly [string, string])[] = [
  ['HeaderDigest', 'None'],
  ['DataDigest', 'None'],
  ['DefaultTime2Wait', '0'],
  ['DefaultTime2Retain', '0'],
  ['ErrorRecoveryLevel', '0'],
  ['MaxRecvDataSegmentLength', '65536'],
];

const NORMAL: readonly (readonly [string, string])[] = [
  ['InitialR2T', 'Yes'],
  ['ImmediateData', 'No'],
  ['MaxBurstLength', '262144'],
  ['FirstBurstLength', '65536'],
  ['MaxOutstandingR2T', '1'],
  ['MaxConnections', '1'],
  ['DataPDUInOrder', 'Yes'],
  ['DataSequenceInOrder', 'Yes'],
];

/** A session with one connection, for discovery and for questions to logical units: no data is written through it. */
export class IscsiSession {
  readonly #socket: PduSocket;
  readonly #isid = Buffer.concat([Buffer.from([0x80]), randomBytes(5)]);
  #tsih = 0;
  #commandNumber = 1;
  #expectedStatus = 0;
  #tag = 0;

  private constructor(socket: PduSocket) {
    this.#socket = socket;
  }

  /**
   * Logs in; without a target's name to the discovery service of the portal.
   * @throws IscsiError with what the target or the network says
   */
  static async login(
    portal: IscsiPortal,
    target: string | undefined,
    options: LoginOptions,
  ): Promise<IscsiSession> {
    const socket = await PduSocket.connect(portal.address, portal.port, options.timeoutMs ?? TIMEOUT_MS);
    const session = new IscsiSession(socket);
    try {
      await session.#secure(target, options);
      await session.#negotiate([...OPERATIONAL, ...(target === undefined ? [] : NORMAL)]);
      return session;
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  /** The targets that the portal tells of, by name, with their portals. */
  async sendTargets(): Promise<ReadonlyMap<string, readonly IscsiPortal[]>> {
    const found = new Map<string, IscsiPortal[]>();
    let portals: IscsiPortal[] = [];
    for (const [key, value] of await this.#text('SendTargets=All\0')) {
      if (key === 'TargetName') {
        portals = found.get(value) ?? [];
        found.set(value, portals);
      }
      const portal = key === 'TargetAddress' ? parseTargetAddress(value) : undefined;
      if (portal !== undefined) portals.push(portal);
    }
    return found;
  }

  /** Sends a SCSI command that answers with at most `bytes` of data. */
  async command(lun: number, cdb: readonly number[], bytes: number): Promise<ScsiAnswer> {
    const header = this.#header(OP.scsiCommand, FINAL | CONTINUES | 1);
    header.set(encodeLun(lun), 8);
    header.writeUInt32BE(bytes, 20);
    header.writeUInt32BE(this.#commandNumber, 24);
    header.set(cdb, 32);
    this.#commandNumber += 1;
    this.#socket.write(header);
    const data = Buffer.alloc(bytes);
    let length = 0;
    for (;;) {
      const answer = await this.#socket.read();
      const opcode = answer.header.readUInt8(0) & 0x3f;
      if (opcode === OP.dataIn) {
        const offset = answer.header.readUInt32BE(40);
        if (offset + answer.data.length > bytes)
          throw new IscsiError('targetError', 'more data than was asked for');
        data.set(answer.data, offset);
        length = Math.max(length, offset + answer.data.length);
        if ((answer.header.readUInt8(1) & 1) === 0) continue;
      } else if (opcode !== OP.scsiResponse) {
        continue;
      }
      this.#expectedStatus = answer.header.readUInt32BE(24) + 1;
      return { status: answer.header.readUInt8(3), data: data.subarray(0, length) };
    }
  }

  /** Logs out, as far as the target listens. */
  async logout(): Promise<void> {
    try {
      const header = this.#header(OP.logout | OP.immediate, FINAL);
      header.writeUInt32BE(this.#commandNumber, 24);
      this.#socket.write(header);
      await this.#socket.read();
    } catch {
      // It is over all the same.
    } finally {
      this.#socket.close();
    }
  }

  async #secure(target: string | undefined, { initiatorName, chap }: LoginOptions): Promise<void> {
    const answer = await this.#loginStep(STAGE.security, chap === undefined ? STAGE.operational : undefined, [
      ['InitiatorName', initiatorName],
      ...(target === undefined ? [] : [['TargetName', target] as const]),
      ['SessionType', target === undefined ? 'Discovery' : 'Normal'],
      ['AuthMethod', chap === undefined ? 'None' : 'CHAP,None'],
    ]);
    if (chap === undefined || answer.keys.get('AuthMethod') !== 'CHAP') {
      if (answer.next !== STAGE.operational) await this.#loginStep(STAGE.security, STAGE.operational, []);
      return;
    }
    const offer = await this.#loginStep(STAGE.security, undefined, [['CHAP_A', CHAP_MD5]]);
    const [identifier, challenge] = [offer.keys.get('CHAP_I') ?? '', binary(offer.keys.get('CHAP_C') ?? '')];
    if (offer.keys.get('CHAP_A') !== CHAP_MD5 || !/^\d{1,3}$/.test(identifier) || challenge === undefined)
      throw new IscsiError('authenticationFailure', 'the target asks for another algorithm than MD5');
    const response = createHash('md5')
      .update(Buffer.from([Number(identifier)]))
      .update(chap.secret)
      .update(challenge)
      .digest('hex');
    await this.#loginStep(STAGE.security, STAGE.operational, [
      ['CHAP_N', chap.username],
      ['CHAP_R', `0x${response}`],
    ]);
  }

  async #negotiate(keys: readonly (readonly [string, string])[]): Promise<void> {
    let answer = await this.#loginStep(STAGE.operational, STAGE.full, keys);
    for (let step = 0; answer.next !== STAGE.full; step += 1) {
      if (step >= MOST_LOGIN_STEPS) throw new IscsiError('loginFailed', 'the negotiation does not end');
      answer = await this.#loginStep(STAGE.operational, STAGE.full, []);
    }
  }

  /** One request and its answer; `next`: the stage that the target agrees to go to. */
  async #loginStep(
    stage: number,
    next: number | undefined,
    keys: readonly (readonly [string, string])[],
  ): Promise<{ keys: ReadonlyMap<string, string>; next: number | undefined }> {
    const header = this.#header(
      OP.login | OP.immediate,
      (next === undefined ? 0 : FINAL | next) | (stage << 2),
    );
    header.set(this.#isid, 8);
    header.writeUInt16BE(this.#tsih, 14);
    header.writeUInt32BE(this.#commandNumber, 24);
    this.#socket.write(header, Buffer.from(keys.map(([key, value]) => `${key}=${value}\0`).join('')));
    const answer = await this.#socket.read();
    if ((answer.header.readUInt8(0) & 0x3f) !== OP.loginResponse)
      throw new IscsiError('loginFailed', 'the target does not answer as one');
    const status = answer.header.readUInt16BE(36);
    if (status !== 0)
      throw new IscsiError(loginStatus(status), `login status 0x${status.toString(16).padStart(4, '0')}`);
    this.#tsih = answer.header.readUInt16BE(14);
    this.#expectedStatus = answer.header.readUInt32BE(24) + 1;
    const flags = answer.header.readUInt8(1);
    return {
      keys: new Map(pairs(answer.data)),
      next: (flags & FINAL) === 0 ? undefined : flags & 3,
    };
  }

  async #text(request: string): Promise<readonly (readonly [string, string])[]> {
    const parts: Buffer[] = [];
    let [tag, bytes, data] = [NO_TAG, 0, Buffer.from(request)];
    for (;;) {
      const header = this.#header(OP.text | OP.immediate, FINAL);
      header.writeUInt32BE(tag, 20);
      header.writeUInt32BE(this.#commandNumber, 24);
      this.#socket.write(header, data);
      const answer: Pdu = await this.#socket.read();
      if ((answer.header.readUInt8(0) & 0x3f) !== OP.textResponse)
        throw new IscsiError('targetError', 'the discovery was not answered');
      this.#expectedStatus = answer.header.readUInt32BE(24) + 1;
      bytes += answer.data.length;
      if (bytes > MOST_TEXT_BYTES) throw new IscsiError('targetError', 'the list of targets is too long');
      parts.push(answer.data);
      tag = answer.header.readUInt32BE(20);
      data = Buffer.alloc(0);
      if ((answer.header.readUInt8(1) & FINAL) !== 0) return pairs(Buffer.concat(parts));
    }
  }

  #header(opcode: number, flags: number): Buffer {
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt8(opcode, 0);
    header.writeUInt8(flags, 1);
    header.writeUInt32BE(this.#tag, 16);
    header.writeUInt32BE(this.#expectedStatus, 28);
    this.#tag += 1;
    return header;
  }
}

function pairs(data: Buffer): (readonly [string, string])[] {
  return data
    .toString('utf8')
    .split('\0')
    .filter((text) => text.includes('='))
    .map((text) => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)]);
}

/** A binary value in hexadecimal or base64 (RFC 7143, 6.1); undefined for others and for very long ones. */
function binary(text: string): Buffer | undefined {
  const value = /^0x[\da-f]+$/i.test(text)
    ? Buffer.from(text.slice(2).padStart(text.length - 2 + (text.length % 2), '0'), 'hex')
    : /^0b[\d+/a-z]+=*$/i.test(text)
      ? Buffer.from(text.slice(2), 'base64')
      : undefined;
  return value !== undefined && value.length > 0 && value.length <= MOST_CHALLENGE_BYTES ? value : undefined;
}

/** `10.0.0.1:3260,1`, `[fe80::1]:3260,1` */
function parseTargetAddress(text: string): IscsiPortal | undefined {
  const parts = /^(?:\[(?<six>[^\]]+)\]|(?<address>[^:,]+))(?::(?<port>\d{1,5}))?(?:,\d+)?$/.exec(
    text,
  )?.groups;
  const address = parts?.['six'] ?? parts?.['address'];
  return address === undefined ? undefined : { address, port: Number(parts?.['port'] ?? 3260) };
}

/** Peripheral addressing below 256, flat space addressing above (SAM-5, 4.7). */
export function encodeLun(lun: number): Buffer {
  const encoded = Buffer.alloc(8);
  encoded.writeUInt16BE(lun < 256 ? lun : 0x4000 | lun, 0);
  return encoded;
}
