import type { ServerDuplexStream } from '@grpc/grpc-js';
import { Injectable, Module } from '@nestjs/common';
import {
  type WatchEntry,
  type WatchRequest,
  type WatchResponse,
  WatchServiceService,
} from '@writ/contracts/writ/watch/v1/watch.js';
import { type Codec, EventStore } from '@writ/event-store';
import {
  type Access,
  type Calls,
  OwnCalls,
  type RunningService,
  type ServiceDefinition,
} from '@writ/service';

/**
 * The services around the policy engine, as far as it sees them: real gRPC servers over mutual TLS with the identities of
 * the real ones, and facts through a real store, relay and bus. What they say is up to the test.
 */
type WatchStream = ServerDuplexStream<WatchRequest, WatchResponse>;

const HEARTBEAT_MS = 500;

/** The stop orders of the session broker. */
@Injectable()
export class WatchRpc implements Calls<typeof WatchServiceService> {
  static readonly service = WatchServiceService;
  static readonly access = { watch: ['service:policy-engine'] } as const satisfies Access<
    typeof WatchServiceService
  >;
  readonly #streams = new Set<WatchStream>();
  /** Those that said hello and have not heard the full state yet. */
  readonly #greeted = new Set<WatchStream>();
  readonly #entries: WatchEntry[] = [];
  /** While it is silent, nobody hears a heartbeat, and newcomers wait for the full state. */
  silent = false;

  watch(stream: WatchStream): void {
    const timer = setInterval(() => this.#beat(stream), HEARTBEAT_MS);
    const gone = () => {
      clearInterval(timer);
      this.#streams.delete(stream);
      this.#greeted.delete(stream);
    };
    stream.once('close', gone);
    stream.once('cancelled', gone);
    stream.on('data', ({ up }: WatchRequest) => {
      if (up?.$case === 'hello') this.#greeted.add(stream);
      this.#beat(stream);
    });
  }

  place(entry: Pick<WatchEntry, 'targetKind' | 'targetId'> & Partial<WatchEntry>, at: Date): void {
    const usual = {
      notBefore: at,
      expireTime: undefined,
      reason: 'a drill',
      lockId: 'lck_01K41M7JG0000000000000LOCK',
      lifted: false,
    };
    const placed: WatchEntry = { seq: this.#seq + 1n, ...usual, ...entry };
    this.#entries.push(placed);
    for (const stream of this.#streams) stream.write({ down: { $case: 'delta', value: placed } });
  }

  get #seq(): bigint {
    return BigInt(this.#entries.length);
  }

  #beat(stream: WatchStream): void {
    if (this.silent) return;
    if (this.#greeted.delete(stream)) {
      const value = { epoch: 'one', seq: this.#seq, entries: [...this.#entries], lastChunk: true };
      stream.write({ down: { $case: 'fullState', value } });
      this.#streams.add(stream);
    }
    if (!this.#streams.has(stream)) return;
    stream.write({
      down: { $case: 'heartbeat', value: { epoch: 'one', headSeq: this.#seq, serverTime: undefined } },
    });
  }
}

@Module({})
class Empty {}

const quiet = { module: Empty, edges: [], views: [], reactions: [] };
export const brokerService: ServiceDefinition = { ...quiet, name: 'session-broker', edges: [WatchRpc] };
export const registryService: ServiceDefinition = { ...quiet, name: 'registry' };
export const approvalsService: ServiceDefinition = { ...quiet, name: 'approvals' };

/** Appends one fact to a service's store, from where its relay publishes it. Answers its position. */
export async function publish<T>(
  by: RunningService,
  codec: Codec<T>,
  type: string,
  data: T,
  key: string,
): Promise<bigint> {
  const call = by.app.get(OwnCalls).next('a test');
  const facts = [{ type, data: codec.encode(data).finish() }];
  const append = {
    streamId: `test-${key}`,
    kind: 'test',
    partKey: key,
    expected: 'any',
    facts,
    call,
  } as const;
  const [stored] = await by.app.get(EventStore).append([append]);
  return BigInt(stored?.pos ?? 0);
}
