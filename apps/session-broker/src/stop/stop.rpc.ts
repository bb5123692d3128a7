import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import { Injectable } from '@nestjs/common';
import {
  type WatchRequest,
  WatchResponse,
  WatchServiceService,
} from '@writ/contracts/writ/watch/v1/watch.js';
import type { Call } from '@writ/kernel';
import { type Access, type Calls, Telemetry } from '@writ/service';
import { StopFeed } from './stop.feed.js';
import { Watcher } from './watcher.js';

export const watchAccess = {
  watch: [
    'service:policy-engine',
    'service:vault',
    'service:approvals',
    'service:gateway',
    'enforcement-point',
  ],
} as const satisfies Access<typeof WatchServiceService>;

/** Every watcher gets the same message object: its bytes are made once. */
const encoded = new WeakMap<WatchResponse, Buffer>();

const serialiseOnce = (message: WatchResponse): Buffer => {
  const known = encoded.get(message);
  if (known !== undefined) return known;
  const bytes = Buffer.from(WatchResponse.encode(message).finish());
  encoded.set(message, bytes);
  return bytes;
};

const definition = {
  watch: { ...WatchServiceService.watch, responseSerialize: serialiseOnce },
} satisfies typeof WatchServiceService;

type Stream = ServerDuplexStream<WatchRequest, WatchResponse>;

@Injectable()
export class WatchRpc implements Calls<typeof WatchServiceService> {
  static readonly service: typeof WatchServiceService = definition;
  static readonly access = watchAccess;

  constructor(
    private readonly feed: StopFeed,
    private readonly telemetry: Telemetry,
  ) {}

  watch(stream: Stream, call: Call): void {
    let watcher: Watcher | undefined;
    stream.on('data', ({ up }: WatchRequest) => {
      if (up?.$case === 'ack') watcher?.ack(Number(up.value.seq));
      if (up?.$case !== 'hello' || watcher !== undefined) return;
      // Who it is comes from its certificate; the name it gives itself is only shown.
      watcher = new Watcher(call.actor, port(stream));
      const hello = { epoch: up.value.epoch, lastSeq: Number(up.value.lastSeq) };
      this.feed.add(watcher, hello).catch((cause: unknown) => {
        this.telemetry.log.warn(
          { err: cause, point: call.actor },
          'an enforcement point could not be brought up to date',
        );
        stream.emit(
          'error',
          Object.assign(new Error('stop orders cannot be read'), { code: status.UNAVAILABLE }),
        );
      });
    });
    stream.on('end', () => watcher?.end());
    stream.on('cancelled', () => watcher?.closed());
    stream.on('error', () => watcher?.closed());
  }
}

function port(stream: Stream) {
  return {
    write: (message: WatchResponse) => stream.write(message),
    once: (event: 'drain', listener: () => void) => stream.once(event, listener),
    fail: () =>
      stream.emit(
        'error',
        Object.assign(new Error('too slow; connect again'), { code: status.RESOURCE_EXHAUSTED }),
      ),
    end: () => stream.end(),
  };
}
