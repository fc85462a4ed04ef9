import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameDecoder, MAX_FRAME, encodeFrame } from './frame-stream.js';

describe('frames in a stream', () => {
  it('come out as they went in, however the stream is cut', () => {
    const frames = fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 8 });
    fc.assert(
      fc.property(frames, fc.array(fc.nat(40), { minLength: 1, maxLength: 20 }), (sent, cuts) => {
        const stream = Buffer.concat(sent.map((frame) => encodeFrame(Buffer.from(frame))));
        const decoder = new FrameDecoder();
        const received: Buffer[] = [];
        let from = 0;
        for (const cut of [...cuts, stream.length]) {
          received.push(...decoder.push(stream.subarray(from, from + cut)));
          from += cut;
        }
        expect(received.map((frame) => [...frame])).toEqual(sent.map((frame) => [...frame]));
      }),
    );
  });

  it('are refused when they are longer than any can be', () => {
    const prefix = Buffer.alloc(4);
    prefix.writeUInt32BE(MAX_FRAME + 1);
    expect(() => [...new FrameDecoder().push(prefix)]).toThrow(RangeError);
  });
});
