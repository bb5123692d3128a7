import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Refusal } from '@writ/kernel';
import { Watcher } from './watcher.background.js';

const bytes = (text: string) => Buffer.from(text);
const slow = () => new Refusal('WATCH_TOO_SLOW', 'exhausted', 'too slow');

/** A stream that takes `room` messages and then says that the rest waits. */
function watching(room = Number.POSITIVE_INFINITY) {
  const written: string[] = [];
  const drains: (() => void)[] = [];
  const stream = {
    write: (message: Buffer) => written.push(message.toString()) <= room,
    onceDrained: (listener: () => void) => void drains.push(listener),
  };
  return { watcher: new Watcher(stream, slow), written, drains };
}

const codeOf = (watcher: Watcher) =>
  watcher.over.then(
    () => 'gone',
    (refusal: Refusal) => refusal.code,
  );

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

describe('a watcher', () => {
  it('is sent its state first, then the orders that came meanwhile, each once', () => {
    const { watcher, written } = watching();
    watcher.order(4, bytes('4'));
    watcher.order(5, bytes('5'));
    watcher.beat(bytes('beat'));
    expect(written).toEqual([]);
    watcher.begin([bytes('state as of 4')], 4);
    watcher.order(6, bytes('6'));
    watcher.beat(bytes('beat'));
    expect(written).toEqual(['state as of 4', '5', '6', 'beat']);
  });

  it('cannot confirm what it was never sent', () => {
    const { watcher } = watching();
    watcher.begin([], 3);
    watcher.ack(4);
    watcher.ack(Number.NaN);
    expect(watcher.ackedSeq).toBe(0);
    watcher.ack(3);
    expect(watcher.ackedSeq).toBe(3);
    watcher.order(4, bytes('4'));
    watcher.ack(4);
    expect(watcher.ackedSeq).toBe(4);
  });

  it('is waited for until it confirms, or goes', async () => {
    const { watcher } = watching();
    watcher.begin([], 1);
    const first = watcher.acknowledged(1);
    watcher.ack(1);
    await first;
    const never = watcher.acknowledged(2);
    watcher.close();
    await never;
  });

  it('is cut off after a second in which its stream took nothing', async () => {
    const { watcher, written } = watching(1);
    const over = codeOf(watcher);
    watcher.begin([bytes('state')], 1);
    watcher.order(2, bytes('2'));
    jest.advanceTimersByTime(1_001);
    expect(await over).toBe('WATCH_TOO_SLOW');
    watcher.order(3, bytes('3'));
    expect(written).toEqual(['state', '2']);
  });

  it('stays when its stream flows again in time', async () => {
    const { watcher, written, drains } = watching(1);
    watcher.begin([bytes('state')], 1);
    watcher.order(2, bytes('2'));
    jest.advanceTimersByTime(900);
    for (const drained of drains) drained();
    jest.advanceTimersByTime(2_000);
    watcher.order(3, bytes('3'));
    expect(written).toEqual(['state', '2', '3']);
    watcher.close();
    expect(await codeOf(watcher)).toBe('gone');
  });

  it('is cut off when more than a thousand messages wait, loaded or not', async () => {
    for (const loaded of [true, false]) {
      const { watcher } = watching(0);
      const over = codeOf(watcher);
      if (loaded) watcher.begin([], 0);
      for (let seq = 1; seq <= 1_100; seq += 1) watcher.order(seq, bytes('x'));
      expect(await over).toBe('WATCH_TOO_SLOW');
    }
  });
});
