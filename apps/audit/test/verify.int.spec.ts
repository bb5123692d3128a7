import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SecretCreated } from '@writ/contracts/writ/vault/v1/secret_facts.js';
import { AuditHouse, type LedgerClient, until, verified } from './audit-house.js';

const created = { type: 'SecretCreated', codec: SecretCreated };
const ENTRIES = 2_500;

let house: AuditHouse;
let client: LedgerClient;

beforeAll(async () => {
  house = await AuditHouse.open();
  client = await house.client(await house.start());
  const [registry, vault] = [await house.source('registry'), await house.source('vault')];
  registry.relay.start();
  const facts = Array.from({ length: ENTRIES - 1 }, (_, at) =>
    SecretCreated.fromPartial({ displayName: `secret ${at}` }),
  );
  await vault.record(created, 'secrets', ...facts);
  vault.relay.start();
  await until(async () => (await house.size()) === ENTRIES, 'every entry');
});

afterAll(() => house.close());

/** Alters the ledger as whoever owns the database could, verifies over gRPC, and puts everything back. */
async function faultsAfter(...statements: string[]): Promise<[number, string][]> {
  const owned = ['entry', 'state', 'source'];
  for (const table of owned) await house.ask(`create table public.${table}_copy as table ledger.${table}`);
  const unguarded = (sql: string) =>
    house.ask(`do $$ begin set local session_replication_role = replica;
    alter table ledger.entry disable trigger all; alter table ledger.state disable trigger all; ${sql}; end $$`);
  try {
    for (const statement of statements) await unguarded(statement);
    return (await verified(client)).faults;
  } finally {
    for (const table of owned) {
      await unguarded(
        `delete from ledger.${table}; insert into ledger.${table} select * from public.${table}_copy`,
      );
      await house.ask(`drop table public.${table}_copy`);
    }
  }
}

const flip = (column: string, at: number) =>
  `update ledger.entry set ${column} = set_byte(${column}, 5, get_byte(${column}, 5) # 1) where idx = ${at}`;

describe('verification of a ledger', () => {
  it('passes, with progress, and answers the head', async () => {
    const steps: bigint[] = [];
    for await (const { entriesChecked, size } of client.verifyLedger({ fromIndex: 0n })) {
      steps.push(entriesChecked);
      expect(size).toBe(BigInt(ENTRIES));
    }
    expect(steps).toEqual([1_000n, 2_000n, 2_500n, 2_500n]);
    const { last, faults } = await verified(client);
    expect(faults).toEqual([]);
    expect(last).toMatchObject({ done: true, chain: (await client.getLedgerHead({})).chain });
  });

  it('goes on from an entry in the middle', async () => {
    const { last, faults } = await verified(client, 2_000n);
    expect(faults).toEqual([]);
    expect(last).toMatchObject({ done: true, entriesChecked: 500n });
  });

  it.each([
    ['payload', 'payload', 1_234],
    ['salt', 'payload', 0],
    ['record', 'record', 999],
    ['leaf', 'leaf', 1_000],
    ['chain', 'chain', 2_499],
  ])('names index and kind of one flipped byte in %s', async (column, kind, at) => {
    const faults = await faultsAfter(flip(column, at));
    // A payload that no longer opens also names other subjects; it is the same entry.
    expect(faults).toContainEqual([at, kind]);
    expect(faults.every(([index]) => index === at)).toBe(true);
  });

  it.each(['actor', 'cause', 'type', 'stream_id', 'event_id', 'traceparent', 'task'])(
    'names the entry whose column %s was altered',
    async (column) => {
      const faults = await faultsAfter(`update ledger.entry set ${column} = ${column} || 'x' where idx = 77`);
      expect(faults).toEqual([[77, 'record']]);
    },
  );

  it.each([
    ['time', `at = at + interval '1 microsecond'`],
    ['subjects', `subject_ids = array['psn_another']`],
  ])('names the entry whose %s was altered', async (_what, change) => {
    expect(await faultsAfter(`update ledger.entry set ${change} where idx = 77`)).toEqual([[77, 'record']]);
  });

  it('names what was taken out of the middle', async () => {
    expect(await faultsAfter('delete from ledger.entry where idx = 1500')).toEqual([
      [1_500, 'missing'],
      [-1, 'source'],
    ]);
  });

  it('names what was cut off at the end, whether or not the head was moved with it', async () => {
    const cut = 'delete from ledger.entry where idx >= 2400';
    expect(await faultsAfter(cut)).toEqual([
      [2_400, 'missing'],
      [-1, 'source'],
    ]);
    const head = `update ledger.state set size = 2400, chain = (select chain from ledger.entry where idx = 2399)`;
    expect(await faultsAfter(cut, head)).toEqual([[-1, 'source']]);
  });

  it('names a head that is not that of the newest entry', async () => {
    expect(await faultsAfter(`update ledger.state set chain = decode(repeat('ab', 32), 'hex')`)).toEqual([
      [-1, 'head'],
    ]);
  });

  it('names a source whose entered positions are not those of the ledger', async () => {
    expect(
      await faultsAfter(`update ledger.source set got = got + '{[9000,9001)}' where source = 'vault'`),
    ).toEqual([[-1, 'source']]);
  });

  it('counts both parts of a source’s entered positions', async () => {
    const part = (sql: string) => faultsAfter(`update ledger.source set ${sql} where source = 'vault'`);
    expect(await part(`got = '{}', recent = got + recent`)).toEqual([]);
    expect(await part(`recent = recent + '{[9000,9001)}'`)).toEqual([[-1, 'source']]);
  });

  it('passes when a payload was erased with its salt', async () => {
    expect(await faultsAfter('update ledger.entry set payload = null, salt = null where idx = 5')).toEqual(
      [],
    );
  });
});
