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

/** A stream as gRPC has it: sixteen messages fit, and it says when all of them have left. */
function draining() {
  const written: string[] = [];
  let inside = 0;
  const stream = {
    write: (message: Buffer) => {
      written.push(message.toString());
      inside += 1;
      return inside < 16;
    },
    onceDrained: (listener: () => void) =>
      void Promise.resolve().then(() => {
        inside = 0;
        listener();
      }),
  };
  return { watcher: new Watcher(stream, slow), written };
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
    await first.confirmed;
    const never = watcher.acknowledged(2);
    watcher.close();
    await never.confirmed;
  });

  it('keeps nobody who no longer waits for its word', async () => {
    const { watcher } = watching();
    watcher.begin([], 1);
    const [patient, gone] = [watcher.acknowledged(1), watcher.acknowledged(1)];
    expect(watcher.waiting).toBe(2);
    gone.cancel();
    expect(watcher.waiting).toBe(1);
    watcher.ack(1);
    await patient.confirmed;
    patient.cancel();
    expect(watcher.waiting).toBe(0);
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

  it('is sent a state of any size, because the next chunk waits until the stream has drained', async () => {
    const { watcher, written } = draining();
    const state = Array.from({ length: 1_300 }, (_, index) => `chunk ${index}`);
    const begun = watcher.begin(state.map(bytes), 7);
    for (let seq = 7; seq <= 1_000; seq += 1) watcher.order(seq, bytes(`order ${seq}`));
    watcher.beat(bytes('beat'));
    await Promise.race([begun, codeOf(watcher)]);
    const orders = Array.from({ length: 993 }, (_, index) => `order ${index + 8}`);
    expect(written).toEqual([...state, ...orders]);
    watcher.ack(1_000);
    expect(watcher.ackedSeq).toBe(1_000);
    watcher.close();
    expect(await codeOf(watcher)).toBe('gone');
  });

  it('confirms nothing while its state is still on the way', async () => {
    const { watcher, drains } = watching(1);
    const begun = watcher.begin(['one', 'two', 'three'].map(bytes), 7);
    watcher.ack(7);
    expect(watcher.ackedSeq).toBe(0);
    for (const drained of drains) drained();
    await begun;
    watcher.ack(7);
    expect(watcher.ackedSeq).toBe(7);
  });

  it('that goes away while its state is sent, or takes none of it, is sent no more', async () => {
    for (const leave of [(watcher: Watcher) => watcher.close(), () => jest.advanceTimersByTime(1_001)]) {
      const { watcher, written } = watching(1);
      void codeOf(watcher);
      const begun = watcher.begin(['one', 'two', 'three'].map(bytes), 1);
      leave(watcher);
      await begun;
      expect(written).toEqual(['one', 'two']);
    }
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
