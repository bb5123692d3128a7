import { Agent, request } from 'node:https';
import type { Identity, Route, RunningService } from '@writ/service';
import type { Answer } from './raw-client.js';

/** Statuses by the names that gRPC has for the same; what is not here has none. */
const nameOf: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'UNIMPLEMENTED',
  405: 'UNIMPLEMENTED',
  500: 'INTERNAL',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};
const TIMEOUT_MS = 20_000;

/** Sends bodies to the HTTP edges of a service, and tells what came back as a gRPC client would have it. */
export class RawHttp {
  readonly #agent: Agent;

  constructor(
    private readonly service: RunningService,
    how: Identity | { readonly rootPem: string },
  ) {
    const checkServerIdentity = () => undefined;
    if ('rootPem' in how) {
      this.#agent = new Agent({ ca: how.rootPem, checkServerIdentity });
      return;
    }
    const { rootsPem: ca, chainPem: cert, keyPem } = how.current();
    this.#agent = new Agent({ ca, cert, key: keyPem.reveal(), checkServerIdentity });
  }

  call({ method, path }: Route, body: string): Promise<Answer> {
    const { hostname, port } = new URL(`https://${this.service.httpAddress}`);
    const headers = { 'content-type': 'application/json' };
    const to = { agent: this.#agent, hostname, port, method, path, headers, timeout: TIMEOUT_MS };
    return new Promise((resolve, reject) => {
      const sent = request(to, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => resolve(answerOf(response.statusCode ?? 0, Buffer.concat(chunks))));
      });
      sent.on('timeout', () => reject(new Error(`\`${path}\` did not answer within ${TIMEOUT_MS} ms`)));
      sent.on('error', () =>
        resolve({ error: { ...nothing, status: 'UNAVAILABLE', reason: 'UNAVAILABLE' } }),
      );
      sent.end(method === 'GET' ? '' : body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

const nothing = { message: '', fields: [], callId: '', details: undefined };

function answerOf(status: number, bytes: Buffer): Answer {
  if (status === 200) return { bytes };
  const { reason, detail } = JSON.parse(bytes.toString('utf8')) as { reason: string; detail: string };
  return { error: { ...nothing, status: nameOf[status] ?? String(status), reason, message: detail } };
}
