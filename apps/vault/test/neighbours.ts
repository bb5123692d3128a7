import type { ServerDuplexStream } from '@grpc/grpc-js';
import { Injectable, Module } from '@nestjs/common';
import {
  type DecideRequest,
  type DecideResponse,
  DecisionServiceService,
} from '@writ/contracts/writ/policy/v1/decision.js';
import { Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import {
  type WatchEntry,
  type WatchRequest,
  type WatchResponse,
  WatchServiceService,
} from '@writ/contracts/writ/watch/v1/watch.js';
import { type Codec, EventStore } from '@writ/event-store';
import { type Call, Refusal } from '@writ/kernel';
import {
  type Access,
  type Calls,
  OwnCalls,
  type RunningService,
  type ServiceDefinition,
} from '@writ/service';

/**
 * The services around the vault, as far as it sees them: real gRPC servers over mutual TLS with the identities of the
 * real ones, and real facts through a real store, relay and bus. What they answer and publish is up to the test.
 */

type WatchStream = ServerDuplexStream<WatchRequest, WatchResponse>;

const HEARTBEAT_MS = 500;

/** The stop orders of a session-broker that a test plays. */
@Injectable()
export class WatchRpc implements Calls<typeof WatchServiceService> {
  static readonly service = WatchServiceService;
  static readonly access = { watch: ['service:vault'] } as const satisfies Access<typeof WatchServiceService>;
  readonly #streams = new Set<WatchStream>();
  readonly #entries: WatchEntry[] = [];
  silent = false;

  watch(stream: WatchStream): void {
    const timer = setInterval(() => this.#beat(stream), HEARTBEAT_MS);
    stream.once('close', () => clearInterval(timer));
    stream.once('cancelled', () => {
      clearInterval(timer);
      this.#streams.delete(stream);
    });
    stream.on('data', ({ up }: WatchRequest) => {
      if (up?.$case !== 'hello' || this.silent) return;
      const value = { epoch: 'one', seq: this.#seq, entries: [...this.#entries], lastChunk: true };
      stream.write({ down: { $case: 'fullState', value } });
      this.#streams.add(stream);
      this.#beat(stream);
    });
  }

  place(entry: Pick<WatchEntry, 'targetKind' | 'targetId'> & Partial<WatchEntry>, at: Date): void {
    const placed: WatchEntry = {
      seq: this.#seq + 1n,
      notBefore: at,
      expireTime: undefined,
      reason: 'a drill',
      lockId: 'lck_01K41M7JG0000000000000LOCK',
      lifted: false,
      ...entry,
    };
    this.#entries.push(placed);
    for (const stream of this.#streams) stream.write({ down: { $case: 'delta', value: placed } });
  }

  get #seq(): bigint {
    return BigInt(this.#entries.length);
  }

  #beat(stream: WatchStream): void {
    if (this.silent) return;
    const value = { epoch: 'one', headSeq: this.#seq, serverTime: undefined };
    stream.write({ down: { $case: 'heartbeat', value } });
  }
}

/** The decisions of a policy-engine that a test plays: everything is allowed unless it says otherwise. */
@Injectable()
export class DecisionRpc implements Calls<typeof DecisionServiceService> {
  static readonly service = DecisionServiceService;
  static readonly access = {
    decide: ['service:vault'],
    decideBatch: [],
    getDecision: [],
    listDecisions: [],
  } as const satisfies Access<typeof DecisionServiceService>;
  readonly asked: DecideRequest[] = [];
  /** What the next decisions are, and what happens right before they are answered. */
  outcome: Partial<DecideResponse> = {};
  meanwhile: () => Promise<void> = async () => undefined;

  async decide(request: DecideRequest, call: Call): Promise<DecideResponse> {
    this.asked.push(request);
    await this.meanwhile();
    return {
      decisionId: call.newId('dec'),
      outcome: Outcome.OUTCOME_ALLOW,
      reasonCode: 'ALLOWED',
      reason: '',
      actionDigest: '',
      approvalDemand: undefined,
      policySetId: '',
      policySetVersion: 0,
      policyIds: [],
      position: undefined,
      ...this.outcome,
    };
  }

  decideBatch = notPlayed;
  getDecision = notPlayed;
  listDecisions = notPlayed;
}

async function notPlayed(): Promise<never> {
  throw new Refusal('NOT_PLAYED', 'unavailable', 'no test asks this');
}

@Module({})
class Empty {}

export const brokerService: ServiceDefinition = {
  name: 'session-broker',
  module: Empty,
  edges: [WatchRpc],
  views: [],
  reactions: [],
};
export const policyEngineService: ServiceDefinition = {
  name: 'policy-engine',
  module: Empty,
  edges: [DecisionRpc],
  views: [],
  reactions: [],
};
export const registryService: ServiceDefinition = {
  name: 'registry',
  module: Empty,
  edges: [],
  views: [],
  reactions: [],
};

/** Appends one fact to a service's store, from where its relay publishes it. Answers its position. */
export async function publish<T>(
  service: RunningService,
  fact: { type: string; codec: Codec<T>; data: T; key: string },
): Promise<bigint> {
  const call = service.app.get(OwnCalls).next('a test');
  const facts = [{ type: fact.type, data: fact.codec.encode(fact.data).finish() }];
  const [stored] = await service.app
    .get(EventStore)
    .append([
      { streamId: `test-${fact.key}`, kind: 'test', partKey: fact.key, expected: 'any', facts, call },
    ]);
  return BigInt(stored?.pos ?? 0);
}
