import { Agent, request } from 'node:https';
import type { Identity, RunningService } from '@writ/service';
import type { Worker } from './asking.js';

/** What came back over HTTP. */
export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever JSON there is
  readonly json: any;
}

/** The enforcement point that a customer would write: HTTPS with its own certificate, and nothing of ours. */
export class AuthzenClient {
  readonly #agent: Agent;

  constructor(
    private readonly address: string,
    material: { readonly rootsPem: string; readonly chainPem?: string; readonly keyPem?: string },
  ) {
    const { rootsPem: ca, chainPem: cert, keyPem: key } = material;
    // The server's certificate names a SPIFFE ID and no host.
    this.#agent = new Agent({ ca, cert, key, keepAlive: true, checkServerIdentity: () => undefined });
  }

  static of({ httpAddress = '' }: RunningService, identity: Identity): AuthzenClient {
    const { rootsPem, chainPem, keyPem } = identity.current();
    return new AuthzenClient(httpAddress, { rootsPem, chainPem, keyPem: keyPem.reveal() });
  }

  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answered> {
    const text = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    return this.send('POST', path, text, { 'content-type': 'application/json', ...headers });
  }

  get(path: string): Promise<Answered> {
    return this.send('GET', path, '', {});
  }

  send(
    method: string,
    path: string,
    body: string | Buffer,
    headers: Record<string, string>,
  ): Promise<Answered> {
    const { hostname, port } = new URL(`https://${this.address}`);
    return new Promise((resolve, reject) => {
      const sent = request({ agent: this.#agent, hostname, port, method, path, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString('utf8');
          const json = /json/.test(response.headers['content-type'] ?? '') ? JSON.parse(text) : undefined;
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json });
        });
        response.on('error', reject);
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** What an enforcement point shows of the agent that stands before it. */
export function proofOf({ token, identity }: Worker): Record<string, unknown> {
  return { token, presented_certificate_sha256: identity.current().certificateSha256 };
}

/** The same question as `payment(value)`, in the words of the Authorization API. */
export function evaluation(worker: Worker, value: string, context: object = {}) {
  return {
    subject: { type: 'agent', id: worker.agentId },
    action: { name: 'pay', properties: { amount: { currency: 'EUR', value } } },
    resource: { type: 'payment', id: 'invoices/A', properties: { location: 'pg://erp' } },
    context: { ...proofOf(worker), ...context },
  };
}
