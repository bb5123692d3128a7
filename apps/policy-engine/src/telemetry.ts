import { Injectable } from '@nestjs/common';
import { metrics } from '@opentelemetry/api';
import { Telemetry } from '@writ/service';
import type {
  EvaluationDifference,
  EvaluationTelemetry,
  ReferenceCause,
} from './policy-set/checked-evaluation.provider.js';

const meter = metrics.getMeter('writ');
const decisions = meter.createCounter('writ.decision.made', {
  description: 'Decisions by outcome and reason',
});
const unrecorded = meter.createCounter('writ.decision.unrecorded', {
  description: 'Decisions that could not be recorded',
});

const referenceEvaluations = meter.createCounter('writ.policy.reference.evaluated', {
  description: 'Evaluations by the reference of Cedar, by cause: not_compiled, sample, differed',
});
const differences = meter.createCounter('writ.policy.reference.differed', {
  description: 'Questions that compiled policies and the reference of Cedar answered differently',
});

/** Logs and metrics of the policy engine: one function per event. */
@Injectable()
export class PolicyTelemetry implements EvaluationTelemetry {
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

  evaluatedByReference(cause: ReferenceCause, evaluations: number): void {
    referenceEvaluations.add(evaluations, { cause });
  }

  evaluationDiffered(difference: EvaluationDifference): void {
    differences.add(1);
    this.telemetry.log.error(difference, 'compiled policies and the reference differ, the reference decides');
  }

  policySetActive(o: { policySetId: string; version: number }): void {
    this.telemetry.log.info(o, 'policy set active');
  }
}
