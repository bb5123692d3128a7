export interface PolicyError {
  /** The policy that was skipped; undefined where the question itself was refused. */
  readonly policyId: string | undefined;
  readonly message: string;
}

export interface Answer {
  /** `allow` when a permit applies and no forbid does. Callers who fail closed also deny where there are errors. */
  readonly decision: 'allow' | 'deny';
  /** The policies that decided, in the order of the set: permits of an allow, forbids of a deny, none where nothing applied. */
  readonly reasons: readonly string[];
  readonly errors: readonly PolicyError[];
}

/** What is wrong with the question itself is an error of the answer, which is then a deny. */
export function refusal(message: string): Answer {
  return { decision: 'deny', reasons: [], errors: [{ policyId: undefined, message }] };
}
