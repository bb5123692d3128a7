/**
 * Runs `work` again and again, `pauseMs` after it has ended, never twice at once. What it throws goes to `onFailure`
 * and the next turn comes all the same: a sweep that fails once must not stop sweeping.
 *
 * @returns how to stop; resolves when a turn that is under way has ended
 */
export function every(
  pauseMs: number,
  work: () => Promise<void>,
  onFailure: (cause: unknown) => void,
): () => Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let turn: Promise<void> = Promise.resolve();
  let stopped = false;
  const next = () => {
    if (stopped) return;
    timer = setTimeout(() => {
      turn = work().catch(onFailure).then(next);
    }, pauseMs);
    timer.unref();
  };
  next();
  return async () => {
    stopped = true;
    clearTimeout(timer);
    await turn;
  };
}
