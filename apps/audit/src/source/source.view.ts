import { Injectable } from '@nestjs/common';
import { Database } from '@writ/event-store';
import { type LedgerState } from '../entry/entry.view.js';
import type { SourceSets } from '../entry/verify.js';
import { Positions, type Range, rangeText } from './range.js';

/**
 * Which facts of each source are entered. Maintained by `EntryAppend` in the transaction that enters them.
 */
@Injectable()
export class SourceView {
  constructor(private readonly database: Database) {}

  async positions(): Promise<Map<string, Positions>> {
    const { rows } = await this.database.query<{ source: string; got: string }>(
      'select source, (got + recent)::text as got from ledger.source order by source',
    );
    return setsOf(rows);
  }

  async missing(): Promise<Map<string, readonly Range[]>> {
    const positions = await this.positions();
    return new Map([...positions].map(([source, set]) => [source, set.missing()]));
  }

  /** Head and sources as of one moment: what a verification compares with. */
  async snapshot(): Promise<{ state: LedgerState; sources: Map<string, Positions> }> {
    const { rows } = await this.database.query<{
      ledger_id: string;
      size: string;
      chain: Buffer;
      sources: { source: string; got: string }[];
    }>(
      `select ledger_id, size, chain,
         (select coalesce(json_agg(json_build_object('source', source, 'got', (got + recent)::text)), '[]')
            from ledger.source) as sources
       from ledger.state`,
    );
    const [row] = rows;
    if (row === undefined) throw new Error('the ledger has no state row');
    const { ledger_id, size, chain, sources } = row;
    return { state: { ledgerId: ledger_id, size: Number(size), chain }, sources: setsOf(sources) };
  }
}

function setsOf(rows: readonly { source: string; got: string }[]): Map<string, Positions> {
  return new Map(rows.map(({ source, got }) => [source, Positions.parse(got)]));
}

/** What is found in the ledger, against what is recorded as entered. */
export class FoundSources implements SourceSets {
  private readonly found = new Map<string, Positions>();

  constructor(private readonly recorded: ReadonlyMap<string, Positions>) {}

  add(source: string, pos: number): boolean {
    const positions = this.found.get(source) ?? new Positions();
    this.found.set(source, positions);
    return positions.add(pos);
  }

  differences(): readonly string[] {
    const none = new Positions();
    return [...new Set([...this.recorded.keys(), ...this.found.keys()])].sort().flatMap((source) => {
      const recorded = this.recorded.get(source) ?? none;
      const found = this.found.get(source) ?? none;
      const say = (ranges: readonly Range[], what: string) =>
        ranges.length === 0
          ? []
          : [`\`${source}\` positions ${ranges.slice(0, 10).map(rangeText).join(', ')} are ${what}`];
      return [
        ...say(recorded.without(found), 'recorded as entered and not in the ledger'),
        ...say(found.without(recorded), 'in the ledger and not recorded as entered'),
      ];
    });
  }
}
