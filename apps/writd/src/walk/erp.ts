import type { Action } from '@writ/contracts/writ/type/v1/authority.js';
import pg from 'pg';
import type { Suite } from '../suite/suite.js';

const DATABASE = 'erp';
const INVOICES = 300;

export interface Invoice {
  readonly id: string;
  readonly supplier: string;
  /** Whole euros. */
  readonly amount: number;
}

/**
 * The finance team's own system, a database that Writ only guards: suppliers' invoices, and payments that nobody can make
 * twice. It is here so that the walk acts on something real.
 */
export class Erp {
  private constructor(
    private readonly owner: pg.Pool,
    /** As the owner, for the vault's administrator connection. */
    readonly ownerUrl: string,
  ) {}

  static async create(suite: Suite): Promise<Erp> {
    await suite.createDatabase(DATABASE);
    const ownerUrl = suite.ownerUrl(DATABASE);
    const owner = new pg.Pool({ connectionString: ownerUrl, max: 4 });
    owner.on('error', () => undefined);
    const erp = new Erp(owner, ownerUrl);
    await erp.#tables();
    return erp;
  }

  /** Three invoices with amounts that the walk speaks of, new at each walk. */
  async invoicesFor(run: string): Promise<{ a: Invoice; b: Invoice; c: Invoice }> {
    const make = async (letter: string, amount: number): Promise<Invoice> => {
      const invoice = { id: `${run}-${letter}`, supplier: `supplier-${letter}`, amount };
      await this.owner.query('insert into invoice (id, supplier, amount) values ($1, $2, $3)', [
        invoice.id,
        invoice.supplier,
        amount,
      ]);
      return invoice;
    };
    return { a: await make('A', 1_200), b: await make('B', 9_000), c: await make('C', 4_000) };
  }

  /** Books a payment that was allowed; one decision pays once. */
  async book(invoiceId: string, amount: number, decisionId: string): Promise<void> {
    await this.owner.query('insert into payment (decision_id, invoice_id, amount) values ($1, $2, $3)', [
      decisionId,
      invoiceId,
      amount,
    ]);
  }

  async payments(invoiceId: string): Promise<number> {
    const { rows } = await this.owner.query<{ count: string }>(
      'select count(*) from payment where invoice_id = $1',
      [invoiceId],
    );
    return Number(rows[0]?.count);
  }

  /** Runs one statement as whoever holds a credential, on a connection of its own. */
  async as(credential: { username: string; password: string }, sql: string): Promise<pg.QueryResult> {
    const url = new URL(this.ownerUrl);
    url.username = credential.username;
    url.password = encodeURIComponent(credential.password);
    const client = new pg.Client({ connectionString: url.href });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return await client.query(sql);
    } finally {
      await client.end();
    }
  }

  async close(): Promise<void> {
    await this.owner.end();
  }

  async #tables(): Promise<void> {
    await this.owner.query(`
      create table if not exists invoice (id text primary key, supplier text not null, amount numeric not null check (amount > 0));
      create table if not exists payment (
        decision_id text primary key, invoice_id text not null references invoice, amount numeric not null, at timestamptz not null default now());
      do $$ begin create role erp_reader nologin; exception when duplicate_object then null; end $$;
      grant usage on schema public to erp_reader;
      grant select on invoice to erp_reader;
      insert into invoice (id, supplier, amount)
        select 'old-' || n, 'supplier-' || n % 40, 100 + n from generate_series(1, ${INVOICES}) n on conflict do nothing`);
  }
}

/** Paying an invoice, as the enforcement point asks for it. */
export function paymentOf(invoiceId: string, euros: number): Action {
  return {
    type: 'payment',
    name: 'pay',
    location: DATABASE,
    identifier: `invoices/${invoiceId}`,
    datatypes: [],
    amount: { currencyCode: 'EUR', value: String(euros) },
    attributes: [],
  };
}

export const plainAction = (type: string, name: string, location: string, identifier: string): Action => ({
  type,
  name,
  location,
  identifier,
  datatypes: [],
  amount: undefined,
  attributes: [],
});
