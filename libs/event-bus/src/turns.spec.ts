import { describe, expect, it } from '@jest/globals';
import { Lookahead, Turns } from './turns.js';

const soon = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('a lookahead', () => {
  it('makes one piece of work ready while the one before it is being done, and none behind that', async () => {
    const lookahead = new Lookahead();
    const log: string[] = [];
    const gates = ['1', '2', '3'].map((name) => ({ name, gate: Promise.withResolvers<void>() }));
    const turns = new Turns();
    const all = gates.map(({ name, gate }) =>
      lookahead.run(
        'a',
        async () => void log.push(`${name} ready`),
        (_ready, begun) =>
          turns.take('a', async () => {
            begun();
            log.push(`${name} begins`);
            await gate.promise;
            log.push(`${name} ends`);
          }),
      ),
    );
    for (const { gate } of gates) {
      await soon();
      gate.resolve();
    }
    await Promise.all(all);
    expect(log).toEqual([
      '1 ready',
      '1 begins',
      '2 ready',
      '1 ends',
      '2 begins',
      '3 ready',
      '2 ends',
      '3 begins',
      '3 ends',
    ]);
  });

  it('goes on behind work that failed, whether it had begun or not, and tells whoever asked', async () => {
    const lookahead = new Lookahead();
    const unready = lookahead.run(
      'a',
      () => Promise.reject(new Error('not ready')),
      async () => undefined,
    );
    const failing = lookahead.run(
      'a',
      async () => undefined,
      () => Promise.reject(new Error('not begun')),
    );
    const next = lookahead.run(
      'a',
      async () => 'yes',
      async (ready) => ready,
    );
    await expect(unready).rejects.toThrow('not ready');
    await expect(failing).rejects.toThrow('not begun');
    expect(await next).toBe('yes');
  });

  it('lets work of another name go its own way', async () => {
    const lookahead = new Lookahead();
    const gate = Promise.withResolvers<void>();
    const held = lookahead.run(
      'a',
      async () => undefined,
      () => gate.promise,
    );
    await lookahead.run(
      'b',
      async () => undefined,
      async () => undefined,
    );
    gate.resolve();
    await held;
  });
});

describe('turns', () => {
  it('let work of one name wait for the work before it, and work of another name go on', async () => {
    const turns = new Turns();
    const log: string[] = [];
    const work = (name: string) => async () => {
      log.push(`${name} begins`);
      await soon();
      log.push(`${name} ends`);
    };
    await Promise.all([
      turns.take('a', work('a1')),
      turns.take('a', work('a2')),
      turns.take('b', work('b1')),
    ]);
    expect(log.indexOf('a2 begins')).toBeGreaterThan(log.indexOf('a1 ends'));
    expect(log.indexOf('b1 begins')).toBeLessThan(log.indexOf('a1 ends'));
  });

  it('go on after work that failed, which tells whoever asked for it', async () => {
    const turns = new Turns();
    const failing = turns.take('a', () => Promise.reject(new Error('no')));
    const next = turns.take('a', async () => 'yes');
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe('yes');
  });
});
