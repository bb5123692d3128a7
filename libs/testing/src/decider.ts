import { expect } from '@jest/globals';
import { type Decider, Refusal } from '@writ/kernel';

/** What a decider must answer; each of the three ends the sentence. */
export interface Outcome<Event> {
  /** Exactly these facts, in this order; and `evolve` takes each of them. */
  then(...expected: readonly Event[]): void;
  /** No fact: asked again, it is already so. */
  thenNothing(): void;
  thenRefused(code: string): void;
}

/**
 * `given(registered).when(suspend).then(suspended)`: after these facts, that command leads to those. A sentence without
 * its end fails a Jest test, for Jest then awaits it.
 */
export function givenFor<State, Command, Event>(decider: Decider<State, Command, Event>) {
  return (...past: readonly Event[]) => ({
    when(command: Command): Outcome<Event> {
      const state = past.reduce<State>(decider.evolve, decider.initialState());
      const facts = () => {
        const decided = decider.decide(command, state);
        decided.reduce<State>(decider.evolve, state);
        return decided;
      };
      return {
        // biome-ignore lint/suspicious/noThenProperty: given/when/then is how rules are read aloud
        then: (...expected) => expect(facts()).toEqual(expected),
        thenNothing: () => expect(facts()).toEqual([]),
        thenRefused: (code) => expect(refusalCode(facts)).toBe(code),
      };
    },
  });
}

function refusalCode(decide: () => unknown): string {
  try {
    return `not refused: ${JSON.stringify(decide(), (_, value) => (typeof value === 'bigint' ? `${value}` : value))}`;
  } catch (thrown) {
    if (thrown instanceof Refusal) return thrown.code;
    throw thrown;
  }
}
