import { metrics } from '@opentelemetry/api';
import type { Logger } from '@writ/service';
import type { Gap } from './source/gap.js';
import { rangeText } from './source/range.js';

const meter = metrics.getMeter('writ');
const gapPositions = meter.createGauge('writ.audit.gap_positions', {
  description: 'Facts of a source that are missing between others; 0 or an alarm',
});
const gapAge = meter.createGauge('writ.audit.gap_age_seconds', {
  unit: 's',
  description: 'Age of the oldest gap of a source',
});
const siemLag = meter.createGauge('writ.audit.siem_lag', {
  description: 'Entries that a sink has not yet taken',
});
const siemSent = meter.createCounter('writ.audit.siem_events', {
  description: 'Events that a sink has taken; repeated ones count again',
});

/** One function per event of the audit service; messages are constant, fields carry the rest. */
export class AuditTelemetry {
  constructor(private readonly log: Logger) {}

  gapsNow(source: string, gaps: readonly Gap[], nowMs: number): void {
    const oldestMs = gaps.reduce((oldest, { sinceMs }) => Math.max(oldest, nowMs - sinceMs), 0);
    gapPositions.record(missingIn(gaps), { source });
    gapAge.record(oldestMs / 1_000, { source });
  }

  gapsOverdue(source: string, gaps: readonly Gap[]): void {
    const positions = gaps.slice(0, RANGES_TOLD).map(rangeText).join(', ');
    this.log.error(
      { source, positions, missing: missingIn(gaps) },
      'facts are missing from the ledger; rewind the relay of their source',
    );
  }

  gapsUnknown(cause: unknown): void {
    this.log.warn({ err: cause }, 'gaps could not be looked for');
  }

  sinkTook(sink: string, events: number, behind: number): void {
    siemSent.add(events, { sink });
    siemLag.record(behind, { sink });
  }

  sinkFailed(sink: string, pauseMs: number, cause: unknown): void {
    this.log.warn({ sink, pauseMs, err: cause }, 'a sink did not take its events, trying again');
  }

  verified(checked: number, faults: number): void {
    if (faults > 0) this.log.error({ checked, faults }, 'the ledger does not verify');
    else this.log.info({ checked }, 'the ledger verifies');
  }
}

const RANGES_TOLD = 10;

function missingIn(gaps: readonly Gap[]): number {
  return gaps.reduce((sum, { first, last }) => sum + last - first + 1, 0);
}
