import type { ServerDuplexStream } from '@grpc/grpc-js';
import { Injectable } from '@nestjs/common';
import {
  type WatchRequest,
  type WatchResponse,
  WatchServiceService,
} from '@writ/contracts/writ/watch/v1/watch.js';
import type { Call } from '@writ/kernel';
import { type Access, type Calls, Telemetry } from '@writ/service';
import { refuseWatch, StopFeed } from './stop.background.js';
import { Watcher } from './watcher.background.js';

/** How long a stream may stay open without saying hello. */
const HELLO_MS_MAX = 5_000;

export const watchAccess = {
  watch: [
    'service:policy-engine',
    'service:vault',
    'service:approvals',
    'service:gateway',
    'enforcement-point',
  ],
} as const satisfies Access<typeof WatchServiceService>;

type Stream = ServerDuplexStream<WatchRequest, WatchResponse | Buffer>;

@Injectable()
export class WatchRpc implements Calls<typeof WatchServiceService> {
  static readonly service = WatchServiceService;
  static readonly access = watchAccess;

  constructor(
    private readonly feed: StopFeed,
    private readonly telemetry: Telemetry,
  ) {}

  /** Ends with the stream; what the point is sent away with is thrown and leaves as every other refusal does. */
  async watch(stream: Stream, call: Call): Promise<void> {
    const watcher = watcherOf(stream);
    const patience = setTimeout(
      () => watcher.close(refuseWatch('WATCH_HELLO_EXPECTED', 'say hello right after the stream is open')),
      HELLO_MS_MAX,
    );
    let greeted = false;
    stream.on('data', ({ up }: WatchRequest) => {
      if (up?.$case === 'ack') watcher.ack(Number(up.value.seq));
      if (up?.$case !== 'hello' || greeted) return;
      greeted = true;
      clearTimeout(patience);
      // Who it is comes from its certificate; the name it gives itself is only shown.
      const hello = { epoch: up.value.epoch, lastSeq: Number(up.value.lastSeq) };
      this.feed.add(watcher, hello).catch((cause: unknown) => {
        this.telemetry.log.warn({ err: cause, point: call.actor }, 'a point could not be brought up to date');
        watcher.close(refuseWatch('WATCH_STATE_UNREADABLE', 'stop orders cannot be read; connect again'));
      });
    });
    stream.on('end', () => {
      watcher.close();
      stream.end();
    });
    for (const gone of ['cancelled', 'error', 'close']) stream.on(gone, () => watcher.close());
    try {
      await watcher.over;
    } finally {
      clearTimeout(patience);
    }
  }
}

function watcherOf(stream: Stream): Watcher {
  const port = {
    write: (bytes: Buffer) => stream.write(bytes),
    onceDrained: (listener: () => void) => void stream.once('drain', listener),
  };
  return new Watcher(port, () => refuseWatch('WATCH_TOO_SLOW', 'too slow for stop orders; connect again'));
}
