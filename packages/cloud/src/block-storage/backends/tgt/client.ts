import { connect } from 'node:net';
import { decodeResponseHead, encodeRequest, errorText, RESPONSE_SIZE, type TgtRequest } from './protocol.js';

const DEADLINE_MS = 15_000;
/** What tgtd may say of all its targets, bytes. */
const MAX_RESPONSE = 16 * 2 ** 20;

/** tgtd refused a request. */
export class TgtError extends Error {
  /** `TGT_ERROR` */
  readonly code: number;
  constructor(code: number) {
    super(`tgtd: ${errorText(code)}`);
    this.name = 'TgtError';
    this.code = code;
  }
}

/**
 * Asks tgtd at its management socket.
 * @returns the text of the answer.
 * @throws TgtError; Node's own errors when nobody answers.
 */
export function askTgt(socketPath: string, request: TgtRequest): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    const chunks: Buffer[] = [];
    let received = 0;
    const fail = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    socket.setTimeout(DEADLINE_MS, () => fail(new Error('tgtd does not answer.')));
    socket.on('error', fail);
    socket.on('connect', () => socket.write(encodeRequest(request)));
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      received += chunk.length;
      if (received > MAX_RESPONSE) fail(new Error('tgtd says too much.'));
    });
    // It closes the connection after its answer.
    socket.on('end', () => {
      socket.destroy();
      const bytes = Buffer.concat(chunks);
      if (bytes.length < RESPONSE_SIZE) return reject(new Error('tgtd hung up.'));
      const { error, textLength } = decodeResponseHead(bytes);
      if (error !== 0) return reject(new TgtError(error));
      const text = bytes.subarray(RESPONSE_SIZE, RESPONSE_SIZE + textLength);
      if (text.length < textLength) return reject(new Error('tgtd hung up in the middle of its answer.'));
      return resolve(text.toString('utf8').replaceAll('\0', ''));
    });
  });
}
