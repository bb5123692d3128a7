import { setImmediate as soon } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { inTurns } from './turns.js';

function counted() {
  const ends: (() => void)[] = [];
  const fails: ((cause: Error) => void)[] = [];
  const turn = inTurns(
    () =>
      new Promise<void>((resolve, reject) => {
        ends.push(resolve);
        fails.push(reject);
      }),
  );
  return { turn, ends, fails };
}

describe('work in turns', () => {
  it('gives a call that comes during a turn one that begins after the call', async () => {
    const { turn, ends } = counted();
    const first = turn();
    const [second, third] = [turn(), turn()];
    expect(ends).toHaveLength(1);
    ends[0]?.();
    await first;
    await soon();
    expect(ends).toHaveLength(2);
    ends[1]?.();
    await Promise.all([second, third]);
    expect(ends).toHaveLength(2);
  });

  it('does not take a call between the end of a turn and its announcement for a part of that turn', async () => {
    const { turn, ends } = counted();
    const first = turn();
    ends[0]?.();
    const late = turn();
    await first;
    await soon();
    expect(ends).toHaveLength(2);
    ends[1]?.();
    await late;
  });

  it('goes on after a turn that failed, and tells only those who waited for it', async () => {
    const { turn, ends, fails } = counted();
    const first = turn();
    const second = turn();
    fails[0]?.(new Error('no answer'));
    await expect(first).rejects.toThrow('no answer');
    await soon();
    ends[1]?.();
    await second;
  });
});
