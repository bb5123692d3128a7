/**
 * A policy could not be evaluated: it is skipped, and the caller is told. Thrown, and no `Error`: taking a stack would cost
 * more than the evaluation, and whoever writes requests could make us pay for it.
 */
export class EvaluationError {
  constructor(readonly message: string) {}
}

export function typeError(expected: string, got: string): EvaluationError {
  return new EvaluationError(`type error: expected ${expected}, got ${got}`);
}
