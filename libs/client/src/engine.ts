import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import type { Context } from '@opentelemetry/api';
import {
  DecideBatchResponse,
  DecideResponse,
  DecisionServiceService,
} from '@writ/contracts/writ/policy/v1/decision.js';
import { batchMessage } from './batch.js';
import { type Failure, failureOf, invalidAnswer } from './failure.js';
import type { ClientIdentity } from './identity.js';
import { readSpiffeId, serverMistake } from './server-identity.js';
import type { Telemetry } from './telemetry.js';

const ANSWER_BYTES_MAX = 4 * 1024 * 1024;

const channelOptions = {
  'grpc.max_receive_message_length': ANSWER_BYTES_MAX,
  'grpc.keepalive_time_ms': 5_000,
  'grpc.keepalive_timeout_ms': 2_000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  // A connection of its own: one client's identity must never carry another's questions.
  'grpc.use_local_subchannel_pool': 1,
  // Repetition is in `retry.ts` only, under the question's own request id; DNS has no say in it.
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
};

/** What one call asks: questions that are encoded, and where each was asked. */
export interface Asking {
  readonly bytes: Uint8Array;
  readonly context: Context;
}

/** What one call brought: an answer for each question, in order, or why there is none. */
export type Brought = { readonly answers: readonly DecideResponse[] } | { readonly failure: Failure };

/** The policy engine, as far as a call goes: mutual TLS 1.3 to the one that proves to be it. */
export class Engine {
  #client: Client;

  constructor(
    private readonly o: {
      /** `host:port` */
      readonly address: string;
      readonly serverSpiffeId: string;
      readonly telemetry: Telemetry;
    },
    identity: ClientIdentity,
  ) {
    this.#client = this.#open(identity);
  }

  /**
   * Calls from now on go over a new connection that presents and trusts what `identity` says. Calls under way on the old one
   * get their answers: grpc-js ends a connection with its last call.
   */
  present(identity: ClientIdentity): void {
    this.#client.close();
    this.#client = this.#open(identity);
  }

  /**
   * One question goes as Decide, several as DecideBatch. `done` is called once, also after `cancel`.
   * @param endsAtMs when the answer must be there, in milliseconds since 1970
   */
  ask(
    questions: readonly Asking[],
    endsAtMs: number,
    done: (brought: Brought) => void,
  ): { readonly cancel: () => void } {
    const isLone = questions.length === 1;
    const { path } = isLone ? DecisionServiceService.decide : DecisionServiceService.decideBatch;
    const { telemetry } = this.o;
    const metadata = new Metadata();
    const span = telemetry.calling(
      path.slice(1),
      questions.map(({ context }) => context),
      metadata,
    );
    const answered = (error: ServiceError | null, bytes?: Buffer) => {
      const brought = error === null ? read(bytes, questions.length) : { failure: failureOf(error) };
      telemetry.called(span, 'failure' in brought ? brought.failure : undefined);
      done(brought);
    };
    const call = this.#client.makeUnaryRequest(
      path,
      asBuffer,
      asIs,
      isLone && questions[0] !== undefined ? questions[0].bytes : batchMessage(questions),
      metadata,
      { deadline: endsAtMs },
      answered,
    );
    return { cancel: () => call.cancel() };
  }

  close(): void {
    this.#client.close();
  }

  #open({ secureContext }: ClientIdentity): Client {
    const { address, serverSpiffeId } = this.o;
    const secured = credentials.createFromSecureContext(secureContext, {
      checkServerIdentity: (_host, { subjectaltname }) => serverMistake(subjectaltname, serverSpiffeId),
    });
    return new Client(address, secured, {
      ...channelOptions,
      'grpc.ssl_target_name_override': serverName(serverSpiffeId),
    });
  }
}

/** Decoded here and not by grpc-js: what cannot be read is no answer, and is told apart from an engine that failed. */
function read(bytes: Buffer | undefined, expected: number): Brought {
  let answers: readonly DecideResponse[];
  try {
    if (bytes === undefined) throw new Error('the call brought no message');
    answers = expected === 1 ? [DecideResponse.decode(bytes)] : DecideBatchResponse.decode(bytes).responses;
  } catch (cause) {
    return { failure: invalidAnswer(`the answer cannot be read: ${(cause as Error).message}`) };
  }
  if (answers.length === expected) return { answers };
  return { failure: invalidAnswer(`${answers.length} answers to ${expected} questions`) };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function asIs(bytes: Buffer): Buffer {
  return bytes;
}

/** TLS needs a server name and an IP address is none (RFC 6066 section 3): `policy-engine.writ.example`. */
function serverName(serverSpiffeId: string): string {
  const name = readSpiffeId(serverSpiffeId);
  if (name === undefined) throw new Error(`\`${serverSpiffeId}\` is no SPIFFE ID`);
  return `${name.path.slice(name.path.lastIndexOf('/') + 1)}.${name.trustDomain}`;
}
