import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parse } from './validate.js';

const schema = z.strictObject({
  server: z.strictObject({
    name: z.string().max(5),
    flavorRef: z.union([z.string().min(1), z.number()]),
    networks: z.union([z.enum(['auto', 'none']), z.array(z.string())]).optional(),
  }),
});

describe('parse', () => {
  it.each([
    [{}, "Invalid input for Request body: 'server' is a required property"],
    [{ server: { name: 'a' } }, "Invalid input for server: 'flavorRef' is a required property"],
    [{ server: { name: 'toolong', flavorRef: '1' } }, /^Invalid input for server\.name: Too big/],
    [
      { server: { name: 'a', flavorRef: '1', networks: 5 } },
      /^Invalid input for server\.networks: .*"auto"\|"none".*, or: .*array/,
    ],
    [[1], /^Invalid input for Request body: .*expected object/],
  ])('says of %j what is wrong, and where', (body, message) => {
    expect(() => parse(schema, body)).toThrow(message);
  });

  it('gives what fits', () => {
    const body = { server: { name: 'a', flavorRef: 1 } };
    expect(parse(schema, body)).toEqual(body);
  });
});
