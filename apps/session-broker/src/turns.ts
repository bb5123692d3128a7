/**
 * Lets calls that overlap share work: whoever calls while a turn is under way gets the next one, which begins after the
 * call. So what was true at the call is seen by the turn it waits for, and never more than two turns are ahead.
 */
export function inTurns(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  const begin = () => {
    running = work().finally(() => {
      running = undefined;
    });
    return running;
  };
  return () => {
    if (running === undefined) return begin();
    next ??= running
      .catch(() => undefined)
      .then(() => {
        next = undefined;
        // Another call may have begun a turn in between; it began after those that wait here.
        return running ?? begin();
      });
    return next;
  };
}
