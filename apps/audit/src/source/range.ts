/** Positions `first` to `last`, both included. */
export interface Range {
  readonly first: number;
  readonly last: number;
}

/** A set of positions as ordered ranges that neither overlap nor touch. */
export class Positions {
  private readonly ranges: { first: number; last: number }[] = [];

  /** From PostgreSQL's text of an `int8multirange`: `{[1,4),[7,8)}`. */
  static parse(multirange: string): Positions {
    const positions = new Positions();
    for (const [, first, end] of multirange.matchAll(/\[(\d+),(\d+)\)/g))
      positions.ranges.push({ first: Number(first), last: Number(end) - 1 });
    return positions;
  }

  multirange(): string {
    return `{${this.ranges.map(({ first, last }) => `[${first},${last + 1})`).join()}}`;
  }

  /** False when the position was there already. */
  add(pos: number): boolean {
    const { ranges } = this;
    const at = this.placeOf(pos);
    const before = ranges[at - 1];
    const behind = ranges[at];
    if (before !== undefined && before.last >= pos) return false;
    const joinsBefore = before !== undefined && before.last + 1 === pos;
    const joinsBehind = behind !== undefined && behind.first - 1 === pos;
    if (joinsBefore && joinsBehind) {
      before.last = behind.last;
      ranges.splice(at, 1);
    } else if (joinsBefore) before.last = pos;
    else if (joinsBehind) behind.first = pos;
    else ranges.splice(at, 0, { first: pos, last: pos });
    return true;
  }

  /** How many ranges begin at or before `pos`. Most positions arrive in order: the end is looked at first. */
  private placeOf(pos: number): number {
    const { ranges } = this;
    if ((ranges.at(-1)?.first ?? 0) <= pos) return ranges.length;
    let low = 0;
    let high = ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((ranges[middle] as Range).first <= pos) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  all(): readonly Range[] {
    return this.ranges;
  }

  count(): number {
    return this.ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  }

  highest(): number {
    return this.ranges.at(-1)?.last ?? 0;
  }

  /** What lies between 1 and the highest position and is not in the set. */
  missing(): Range[] {
    let next = 1;
    const holes: Range[] = [];
    for (const { first, last } of this.ranges) {
      if (first > next) holes.push({ first: next, last: first - 1 });
      next = last + 1;
    }
    return holes;
  }

  /** What is in this set and not in `other`. */
  without(other: Positions): Range[] {
    const rest: Range[] = [];
    const others = other.ranges;
    let at = 0;
    for (const { first, last } of this.ranges) {
      let from = first;
      while (at < others.length && (others[at] as Range).last < from) at += 1;
      for (let look = at; look < others.length && (others[look] as Range).first <= last; look += 1) {
        const taken = others[look] as Range;
        if (taken.first > from) rest.push({ first: from, last: taken.first - 1 });
        from = Math.max(from, taken.last + 1);
      }
      if (from <= last) rest.push({ first: from, last });
    }
    return rest;
  }
}

/** `17-19`, or `17` for one position. */
export function rangeText({ first, last }: Range): string {
  return first === last ? String(first) : `${first}-${last}`;
}
