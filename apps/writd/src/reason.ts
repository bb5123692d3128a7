const CAUSES_MAX = 5;

/** Why something failed, on one line: the chain of causes, for the last one is usually what a person can change. */
export function reasonOf(error: unknown): string {
  const reasons: string[] = [];
  for (let cause = error; cause instanceof Error && reasons.length < CAUSES_MAX; cause = cause.cause) {
    if (!reasons.includes(cause.message)) reasons.push(cause.message);
  }
  return (reasons.join(': ') || String(error)).replaceAll('\n', ' ');
}
