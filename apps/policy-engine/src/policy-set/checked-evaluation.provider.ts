import type { Answer, PolicySet, ReferenceSet } from '@writ/cedar';
import { type Clock, sha256Base64Url } from '@writ/service';
import type { CedarQuestion } from './cedar-request.provider.js';

/** Why the reference was asked: a policy that is not compiled, a question of the sample, or a set that differed before. */
export type ReferenceCause = 'not_compiled' | 'sample' | 'differed';

/** A question that the compiled policies and the reference answered differently. Nothing in it was said by the caller. */
export interface EvaluationDifference {
  readonly policySetId: string;
  readonly version: number;
  /** SHA-256 of the question in JSON, base64url. */
  readonly questionDigest: string;
  readonly differing: readonly ('decision' | 'reasons' | 'errors')[];
  readonly compiledPolicyIds: readonly string[];
  readonly referencePolicyIds: readonly string[];
}

/** Who hears how policies are evaluated. */
export interface EvaluationTelemetry {
  evaluatedByReference(cause: ReferenceCause, evaluations: number): void;
  evaluationDiffered(difference: EvaluationDifference): void;
}

/** One of so many, at intervals by chance: questions that come in a pattern do not escape it. */
export class Sample {
  #untilNext: number;

  /** @param oneIn from 1, which takes every one */
  constructor(
    private readonly oneIn: number,
    private readonly clock: Pick<Clock, 'randomBytes'>,
  ) {
    this.#untilNext = this.#interval();
  }

  takes(): boolean {
    this.#untilNext -= 1;
    if (this.#untilNext > 0) return false;
    this.#untilNext = this.#interval();
    return true;
  }

  /** From 1 to `2 * oneIn - 1`, of which `oneIn` is the mean. */
  #interval(): number {
    return 1 + (Buffer.from(this.clock.randomBytes(4)).readUInt32LE() % (2 * this.oneIn - 1));
  }
}

interface Evaluators {
  readonly compiled: Pick<PolicySet, 'evaluate' | 'evaluatedByReference' | 'release'>;
  readonly reference: Pick<ReferenceSet, 'evaluate' | 'release'>;
  readonly sample: Pick<Sample, 'takes'>;
  readonly telemetry: EvaluationTelemetry;
}

/**
 * Evaluates by the compiled policies, and a sample of the questions by the reference as well. Where the two differ, the
 * question is denied, and the reference answers whatever is asked of this set from then on.
 */
export class CheckedEvaluation {
  #hasDiffered = false;

  constructor(
    private readonly set: { readonly policySetId: string; readonly version: number },
    private readonly by: Evaluators,
  ) {}

  evaluate(question: CedarQuestion): Answer {
    if (this.#hasDiffered) return this.#byReference(question, 'differed');
    const answer = this.#byCompiled(question);
    if (!this.by.sample.takes()) return answer;
    const reference = this.#byReference(question, 'sample');
    const differing = differencesOf(answer, reference);
    if (differing.length === 0) return answer;
    this.#hasDiffered = true;
    this.by.telemetry.evaluationDiffered({
      policySetId: this.set.policySetId,
      version: this.set.version,
      questionDigest: sha256Base64Url(JSON.stringify(question)),
      differing,
      compiledPolicyIds: answer.reasons,
      referencePolicyIds: reference.reasons,
    });
    const message = 'the compiled policies and the reference of Cedar answer differently';
    return { decision: 'deny', reasons: [], errors: [{ policyId: undefined, message }] };
  }

  release(): void {
    this.by.compiled.release();
    this.by.reference.release();
  }

  #byCompiled(question: CedarQuestion): Answer {
    const { compiled, telemetry } = this.by;
    const before = compiled.evaluatedByReference;
    const answer = compiled.evaluate(question);
    const evaluations = compiled.evaluatedByReference - before;
    if (evaluations > 0) telemetry.evaluatedByReference('not_compiled', evaluations);
    return answer;
  }

  #byReference(question: CedarQuestion, cause: ReferenceCause): Answer {
    this.by.telemetry.evaluatedByReference(cause, 1);
    return this.by.reference.evaluate(question);
  }
}

/** Sentences of errors are not compared: the same error may be worded differently. */
function differencesOf(left: Answer, right: Answer): EvaluationDifference['differing'] {
  const differing: EvaluationDifference['differing'][number][] = [];
  if (left.decision !== right.decision) differing.push('decision');
  if (joined(left.reasons) !== joined(right.reasons)) differing.push('reasons');
  const failed = ({ errors }: Answer) => joined(errors.map(({ policyId = '' }) => policyId));
  if (failed(left) !== failed(right)) differing.push('errors');
  return differing;
}

function joined(ids: readonly string[]): string {
  return ids.toSorted().join(' ');
}
