import { metrics } from '@opentelemetry/api';
import { type DestinationStream, type Logger, pino } from 'pino';
import { traceIdOf } from './trace.js';

/**
 * Logs and metrics of every service: one function per event, messages are constant, fields carry the rest. Metrics go
 * to the OpenTelemetry API, which drops them when no SDK is loaded (`otel.ts`).
 */
export type { Logger };

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

/** Field names that may hold a secret whatever the author meant; their values are printed as `[secret]`. */
const secretFields = [
  'password',
  'secret',
  'token',
  'authorization',
  'privateKey',
  'keyPem',
  'connectionString',
  'databaseUrl',
];

/** @param destination standard output by default; tests pass their own */
export function createLogger(
  o: { service: string; level: LogLevel },
  destination?: DestinationStream,
): Logger {
  return pino(
    {
      level: o.level,
      base: { service: o.service },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: secretFields.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]),
        censor: '[secret]',
      },
    },
    destination ?? pino.destination({ dest: 1, sync: true }),
  );
}

const meter = metrics.getMeter('writ');
const callDuration = meter.createHistogram('writ.rpc.server.duration', {
  unit: 's',
  description: 'Duration of calls by method and outcome; its count is the rate, its non-OK part the errors',
  advice: {
    explicitBucketBoundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30],
  },
});
const openStreams = meter.createUpDownCounter('writ.rpc.server.open_streams', {
  description: 'Streams that are open now',
});
const feedChanges = meter.createCounter('writ.feed.state_changes', {
  description: 'How often the lock feed entered a state; outside LIVE everything is denied',
});

/** What happened to one call. */
export interface CallOutcome {
  readonly method: string;
  readonly status: string;
  /** The closed code of a refusal or failure; empty when the call succeeded. */
  readonly reason: string;
  readonly durationMs: number;
  readonly callId: string;
  readonly traceparent: string;
  /** Pseudonymous; empty when the peer was not identified. */
  readonly actor: string;
  /** Why, for a failure that is no refusal: goes to the log only. */
  readonly cause?: unknown;
}

export class Telemetry {
  constructor(readonly log: Logger) {}

  callEnded(outcome: CallOutcome): void {
    const { method, status, reason, durationMs, cause, traceparent, ...ids } = outcome;
    callDuration.record(durationMs / 1000, { 'rpc.method': method, 'rpc.status': status, reason });
    if (reason === '' && cause === undefined && !this.log.isLevelEnabled('debug')) return;
    const fields = { method, status, reason, durationMs: Math.round(durationMs * 1000) / 1000, ...ids };
    const entry = { ...fields, traceId: traceIdOf(traceparent) };
    if (cause !== undefined) this.log.error({ ...entry, err: cause }, 'call failed');
    else if (reason === '') this.log.debug(entry, 'call answered');
    else this.log.info(entry, 'call refused');
  }

  /** A request that did not get as far as a call: who sent it was not looked at. */
  httpRefused({ status, reason }: { status: number; reason: string }): void {
    this.log.info({ status, reason }, 'http request refused');
  }

  failedAfterDeadline(callId: string, method: string, cause: unknown): void {
    this.log.warn({ callId, method, err: cause }, 'call failed after its deadline had passed');
  }

  answerNotSent(callId: string, method: string, cause: unknown): void {
    this.log.error({ callId, method, err: cause }, 'answer could not be sent');
  }

  streamOpened(method: string): void {
    openStreams.add(1, { 'rpc.method': method });
  }

  streamClosed(method: string): void {
    openStreams.add(-1, { 'rpc.method': method });
  }

  serviceStarted(o: { address: string; httpAddress: string | undefined; spiffeId: string }): void {
    this.log.info(o, 'service started');
  }

  serviceStopped(durationMs: number): void {
    this.log.info({ durationMs: Math.round(durationMs) }, 'service stopped');
  }

  partFailedToStop(part: string, cause: unknown): void {
    this.log.error({ part, err: cause }, 'part failed to stop');
  }

  identityRenewed(o: { spiffeId: string; notAfter: Date }): void {
    this.log.info({ spiffeId: o.spiffeId, notAfter: o.notAfter.toISOString() }, 'certificate renewed');
  }

  identityRenewalFailed(cause: unknown): void {
    this.log.error({ err: cause }, 'certificate renewal failed, the present one stays in use');
  }

  feedChanged(state: string, reason: string): void {
    feedChanges.add(1, { state });
    this.log.info({ state, reason }, 'lock feed changed');
  }
}

/** Reports how many facts wait for publication, whenever metrics are read. */
export function observeRelayLag(service: string, lag: () => Promise<number>): void {
  meter
    .createObservableGauge('writ.relay.lag', { description: 'Facts that are stored and not yet published' })
    .addCallback(async (result) => result.observe(await lag(), { service }));
}
