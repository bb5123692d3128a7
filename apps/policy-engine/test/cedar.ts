import { SystemClock } from '@writ/service';
import { CedarLanguage } from '../src/policy-set/cedar.provider.js';
import type {
  EvaluationDifference,
  EvaluationTelemetry,
  ReferenceCause,
} from '../src/policy-set/checked-evaluation.provider.js';

/** Keeps what is told of evaluations. */
export class HeardEvaluations implements EvaluationTelemetry {
  readonly causes: ReferenceCause[] = [];
  readonly differences: EvaluationDifference[] = [];

  evaluatedByReference(cause: ReferenceCause): void {
    this.causes.push(cause);
  }

  evaluationDiffered(difference: EvaluationDifference): void {
    this.differences.push(difference);
  }
}

/** Every question is asked of the reference too: a spec whose answers differ has errors in them. */
export function comparedCedar(telemetry = new HeardEvaluations()): CedarLanguage {
  return new CedarLanguage({ shadowOneIn: 1, clock: new SystemClock(), telemetry });
}
