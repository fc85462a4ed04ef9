import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { basicServerAuth } from '../server/auth.js';
import { createWsmanServer } from '../server/create-server.js';
import type { WsmanServer } from '../server/create-server.js';
import { sampleProvider } from '../testing/sample.js';
import { basicAuth } from './auth.js';
import type { ClientTls } from './channel.js';
import { createWsmanClient } from './create-client.js';

const folder = mkdtempSync(join(tmpdir(), 'wsman-tls-'));
const credentials = { user: 'a', password: 'b' };
let server: WsmanServer;
let url = '';
let cert = '';

beforeAll(async () => {
  const subject = ['-subj', '/CN=hv1.example', '-addext', 'subjectAltName=DNS:hv1.example'];
  const files = ['-keyout', join(folder, 'key.pem'), '-out', join(folder, 'cert.pem')];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject, ...files],
    { stdio: 'pipe' },
  );
  cert = readFileSync(join(folder, 'cert.pem'), 'utf8');
  const tls = { key: readFileSync(join(folder, 'key.pem')), cert };
  server = createWsmanServer({ provider: sampleProvider(1), auth: basicServerAuth([credentials]), tls });
  ({ url } = await server.listen(0));
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function identify(tls?: ClientTls): Promise<unknown> {
  const client = createWsmanClient({
    url,
    auth: basicAuth(credentials),
    ...(tls === undefined ? {} : { tls }),
  });
  try {
    return await client.identify();
  } finally {
    await client.close();
  }
}

describe('TLS', () => {
  it('refuses a certificate that nobody vouches for', async () => {
    await expect(identify()).rejects.toMatchObject({ code: 'WSMAN_TLS', notSent: true });
  });

  it('refuses a certificate for another name', async () => {
    await expect(identify({ ca: cert })).rejects.toMatchObject({ code: 'WSMAN_TLS', notSent: true });
  });

  it('accepts the expected name from a trusted authority', async () => {
    await expect(identify({ ca: cert, servername: 'hv1.example' })).resolves.toMatchObject({
      productVendor: 'Microsoft Corporation',
    });
  });

  it('skips the check only when told, and says so', async () => {
    const warned = new Promise<Error>((resolve) => {
      process.once('warning', resolve);
    });
    await expect(identify({ insecureSkipVerify: true })).resolves.toBeDefined();
    expect(await warned).toMatchObject({ code: 'WSMAN_INSECURE_TLS' });
  });
});
