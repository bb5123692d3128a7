import { Injectable } from '@nestjs/common';
import { metrics } from '@opentelemetry/api';
import { Telemetry } from '@writ/service';

const meter = metrics.getMeter('writ');
const decisions = meter.createCounter('writ.decision.made', {
  description: 'Decisions by outcome and reason',
});
const unrecorded = meter.createCounter('writ.decision.unrecorded', {
  description: 'Decisions that could not be recorded',
});

/** Logs and metrics of the policy engine: one function per event. */
@Injectable()
export class PolicyTelemetry {
  constructor(private readonly telemetry: Telemetry) {}

  decided(outcome: string, reason: string): void {
    decisions.add(1, { outcome, reason });
  }

  /** An allow that cannot be recorded is not given; a deny is, and only its record is lost. */
  notRecorded(decisionId: string, cause: unknown): void {
    unrecorded.add(1);
    this.telemetry.log.error({ decisionId, err: cause }, 'decision was not recorded');
  }

  factsNotRead(cause: unknown): void {
    this.telemetry.log.warn({ err: cause }, 'facts were not read, denying soon');
  }

  factsLoaded(o: { facts: number; held: number }): void {
    this.telemetry.log.info(o, 'facts loaded');
  }

  sweepFailed(cause: unknown): void {
    this.telemetry.log.warn({ err: cause }, 'sweep failed, the next one comes');
  }

  policySetActive(o: { policySetId: string; version: number }): void {
    this.telemetry.log.info(o, 'policy set active');
  }
}
