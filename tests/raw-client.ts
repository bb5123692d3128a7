import { type CallOptions, type ChannelCredentials, Client, credentials, Metadata } from '@grpc/grpc-js';
import {
  clientCredentials,
  type Identity,
  type RemoteError,
  type RunningService,
  refusalOf,
  serverNameOption,
  serviceSpiffeId,
} from '@writ/service';
import type { ContractMethod } from './contract.js';
import { WORLD_DOMAIN } from './whole-suite.js';

/** What came back: bytes of an answer, or a decoded error. Of a stream, whichever came first. */
export type Answer = { readonly bytes: Buffer } | { readonly error: RemoteError };

const DEADLINE_MS = 20_000;
const asIs = (bytes: Buffer) => bytes;

/** Sends bytes as requests, well-formed or not. */
export class RawClient {
  readonly #client: Client;

  /** @param how the certificate with which to call, or the root that a caller without one would trust */
  constructor(service: RunningService, how: Identity | { readonly rootPem: string }) {
    const server = serviceSpiffeId(WORLD_DOMAIN, service.name);
    const options = { ...serverNameOption(server), 'grpc.use_local_subchannel_pool': 1 };
    const given = 'rootPem' in how ? withoutCertificate(how.rootPem) : clientCredentials(how, server);
    this.#client = new Client(service.address, given, options);
  }

  call({ path, requestStream, responseStream }: ContractMethod, bytes: Buffer): Promise<Answer> {
    const metadata = new Metadata();
    const options = { deadline: Date.now() + DEADLINE_MS };
    return new Promise((resolve, reject) => {
      const settle = (cause: unknown, answer?: Buffer) => {
        if (answer !== undefined) return resolve({ bytes: answer });
        const error = refusalOf(cause);
        if (error === undefined) reject(new Error(`\`${path}\` ended without a status`, { cause }));
        else resolve({ error });
      };
      if (!requestStream && !responseStream) {
        this.#client.makeUnaryRequest(path, asIs, asIs, bytes, metadata, options, settle);
        return;
      }
      const { stream, send } = this.#open(path, requestStream, bytes, options);
      stream.once('error', settle);
      stream.once('end', () => settle(null, Buffer.alloc(0)));
      stream.once('data', (answer: Buffer) => {
        // What the cancelling itself ends with is no news.
        stream.on('error', () => undefined);
        settle(null, answer);
        stream.cancel();
      });
      send();
    });
  }

  #open(path: string, isUpload: boolean, bytes: Buffer, options: CallOptions) {
    const metadata = new Metadata();
    if (isUpload) {
      const stream = this.#client.makeBidiStreamRequest(path, asIs, asIs, metadata, options);
      return { stream, send: () => void stream.write(bytes) };
    }
    const stream = this.#client.makeServerStreamRequest(path, asIs, asIs, bytes, metadata, options);
    return { stream, send: () => undefined };
  }

  close(): void {
    this.#client.close();
  }
}

function withoutCertificate(rootPem: string): ChannelCredentials {
  return credentials.createSsl(Buffer.from(rootPem), null, null, { checkServerIdentity: () => undefined });
}
