import type { Policies } from '../decision/policy-request.js';

/** What is wrong with a policy set, and where. */
export interface PolicyProblem {
  readonly field: 'policies' | 'schema';
  /** From 1; 0 when the problem has no one place. */
  readonly line: number;
  /** From 1, in characters; 0 when the problem has no one place. */
  readonly column: number;
  readonly message: string;
}

export interface PolicySource {
  readonly policies: string;
  readonly schema: string;
}

/** A policy set that was compiled. Callers MUST release it when another takes its place. */
export interface CompiledPolicies extends Policies {
  /** Lets go of its memory. It denies everything afterwards. */
  release(): void;
}

/** The language that policies are written in. `policies.provider.contract.ts` holds what every carrier promises. */
export abstract class PolicyLanguage {
  /**
   * Everything that is wrong with a policy set: text that does not parse, policies that do not fit their schema, a
   * schema that does not fit what the engine asks, annotations that mean nothing. None when it may be applied.
   */
  abstract problems(source: PolicySource): readonly PolicyProblem[];

  /**
   * Makes a set ready that has no problems. Whether policies fit their schema is not looked at again: it takes longer than
   * everything else, and only sets without problems are ever applied.
   * @throws Error for text that does not parse, and for a schema or annotations that are not understood
   */
  abstract compile(
    set: PolicySource & { readonly policySetId: string; readonly version: number },
  ): CompiledPolicies;
}
