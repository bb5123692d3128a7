import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type VerifyLedgerResponse } from '@writ/contracts/writ/audit/v1/ledger.js';
import { Home } from '@writ/service';
import pg from 'pg';
import { clientsOf } from '../src/suite/clients.js';

/** What a client, a database and an auditor see of a running suite; nothing here asks the product's insides. */
export async function fromOutside(dataDir: string, portBase: number) {
  const home = new Home(dataDir);
  const operator = await home.profile('operator');
  const clients = clientsOf(await home.suite(), operator.identity);
  const password = readFileSync(join(dataDir, 'postgres', 'password'), 'utf8').trim();
  const sql = async <R extends pg.QueryResultRow>(database: string, text: string): Promise<R[]> => {
    const client = new pg.Client({
      connectionString: `postgres://postgres:${password}@127.0.0.1:${portBase + 10}/${database}`,
    });
    await client.connect();
    try {
      return (await client.query<R>(text)).rows;
    } finally {
      await client.end();
    }
  };
  return {
    home,
    clients,
    sql,
    async verify() {
      const stream = clients.ledger.verifyLedger({ fromIndex: 0n }, { deadlineMs: 30_000 });
      const faults: unknown[] = [];
      let last: VerifyLedgerResponse | undefined;
      for await (const progress of stream as AsyncIterable<VerifyLedgerResponse>) {
        faults.push(...progress.faults);
        last = progress;
      }
      return { faults, checked: last?.entriesChecked ?? 0n, size: last?.size ?? -1n };
    },
    close: () => {
      clients.close();
      operator.identity.stop();
    },
  };
}
