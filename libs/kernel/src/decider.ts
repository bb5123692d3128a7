/** The three pure functions that are an aggregate. They read no clock, no random source and no network. */
export interface Decider<State, Command, Event> {
  initialState(): State;
  /** The facts that follow from a command; none when it changes nothing. Throws a Refusal. */
  decide(command: Command, state: State): readonly Event[];
  /** The state after one more fact. Never refuses: the past has happened. */
  evolve(state: State, event: Event): State;
}

/** Ends a switch that names every case, so that a forgotten case does not compile. */
export function unreachable(value: never): never {
  throw new Error(`unhandled case: ${JSON.stringify(value)}`);
}
