import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AgentSuspended } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { auditService } from '../src/audit.module.js';
import { CHAIN_START, chainOf, encodeRecord, leafOf, payloadDigest } from '../src/entry/entry.js';
import { ledgerMigrations } from '../src/entry/entry.sql.js';
import { sha256 } from '../src/entry/entry.store.js';
import { AuditHouse, agentId, auditorId, until, verified } from './audit-house.js';

let house: AuditHouse;

beforeAll(async () => {
  house = await AuditHouse.open({ ...auditService, migrations: ledgerMigrations.slice(0, 1) });
});

afterAll(() => house.close());

/** Positions 2, 3 and 5 of the vault, as the first version of the tables held them. */
async function enterAsBefore(): Promise<void> {
  const [state] = await house.ask<{ ledger_id: string }>('select ledger_id from ledger.state');
  const type = 'writ.registry.v1.AgentSuspended';
  let chain = CHAIN_START;
  for (const [index, pos] of [2, 3, 5].entries()) {
    const payload = AgentSuspended.encode({ agentId, reason: `${pos}` }).finish();
    const salt = randomBytes(16);
    const rest = { actor: auditorId, cause: 'c', streamId: 's', traceparent: '' };
    const envelope = { source: 'vault', pos, eventId: `e${pos}`, type, atMs: 1_700_000_000_000, ...rest };
    const record = encodeRecord(state?.ledger_id ?? '', envelope, payloadDigest(salt, payload, sha256));
    const leaf = leafOf(record, sha256);
    chain = chainOf(chain, leaf, sha256);
    await house.ask(
      `insert into ledger.entry values ($1, $2, $3, 'vault', $4, $5, $6, to_timestamp(1700000000), $7, 'c', 's', '', $8,
         $9, $10, $11, '')`,
      [index, leaf, chain, pos, `e${pos}`, type, auditorId, record, payload, salt, [agentId]],
    );
  }
  await house.ask('update ledger.state set size = 3, chain = $1, epoch = epoch + 1', [chain]);
  await house.ask(`insert into ledger.source (source, got) values ('vault', '{[2,4),[5,6)}')`);
}

const anyEntry = {
  pageSize: 10,
  pageToken: '',
  task: '',
  type: '',
  source: '',
  actor: '',
  startTime: undefined,
  endTime: undefined,
};

describe('a ledger of the first version', () => {
  it('is carried on: its entries verify, are found, and count as received', async () => {
    await enterAsBefore();
    await house.migrate();
    const running = await house.start();
    const client = await house.client(running);
    const registry = await house.source('registry');
    registry.relay.start();
    await until(async () => (await house.size()) === 4, 'the first new entry');
    expect(await verified(client)).toMatchObject({ faults: [], last: { entriesChecked: 4n } });
    const { sources } = await client.listSources({});
    expect(sources).toMatchObject([
      { source: 'registry', received: 1n, missing: [] },
      { source: 'vault', received: 3n, highestPos: 5n, missing: ['1', '4'] },
    ]);
    const { entries } = await client.listEntries({ ...anyEntry, subjectId: agentId });
    expect(entries.map(({ pos }) => pos)).toEqual([2n, 3n, 5n]);
    await running.stop();
  });

  it('is searched through its index of terms', async () => {
    const session = await house.owner.connect();
    // So few entries would be read one by one.
    await session.query('set enable_seqscan = off');
    const { rows: plan } = await session.query(
      `explain select idx from ledger.entry where ledger.terms(subject_ids, type, actor, task) @> array['x']`,
    );
    session.release(true);
    expect(JSON.stringify(plan)).toContain('Bitmap Index Scan on entry_terms');
  });
});
