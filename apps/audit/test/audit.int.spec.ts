import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { LedgerServiceService } from '@writ/contracts/writ/audit/v1/ledger.js';
import { AgentSuspended } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { SessionOpened } from '@writ/contracts/writ/session/v1/session_facts.js';
import { SecretCreated } from '@writ/contracts/writ/vault/v1/secret_facts.js';
import { factsTopic } from '@writ/event-bus';
import { Database, type StoredFact } from '@writ/event-store';
import { type RunningService, refusalOf } from '@writ/service';
import {
  AuditHouse,
  agentId,
  auditorId,
  type LedgerClient,
  type Source,
  until,
  verified,
} from './audit-house.js';

const suspended = { type: 'AgentSuspended', codec: AgentSuspended };
const created = { type: 'SecretCreated', codec: SecretCreated };
const secretId = 'sec_01K41M7JG00000000000000SEC';

let house: AuditHouse;
let audit: RunningService;
let client: LedgerClient;
let registry: Source;
let vault: Source;

beforeAll(async () => {
  house = await AuditHouse.open();
  [registry, vault] = [await house.source('registry'), await house.source('vault')];
  audit = await house.start();
  client = await house.client(audit);
  registry.relay.start();
});

afterAll(() => house.close());

/** How many times each fact of a source is in the ledger. */
async function timesEntered(source: string): Promise<number[]> {
  const rows = await house.ask<{ n: string }>(
    `select count(e.idx) as n from generate_series(1, (select max(pos) from ledger.entry where source = $1)) p
       left join ledger.entry e on e.source = $1 and e.pos = p group by p order by p`,
    [source],
  );
  return rows.map(({ n }) => Number(n));
}

const entered = (source: string, pos: number) =>
  until(async () => {
    const [row] = await house.ask<{ n: string }>(
      'select count(*) as n from ledger.entry where source = $1 and pos between 1 and $2',
      [source, pos],
    );
    return Number(row?.n) === pos;
  }, `${source} up to ${pos}`);

describe('a fact', () => {
  it('is entered with its envelope, its payload and what it is about', async () => {
    const [fact] = await registry.record(suspended, `agent-${agentId}`, { agentId, reason: 'odd' });
    await entered('registry', fact?.pos ?? 0);
    const position = { source: 'registry', pos: BigInt(fact?.pos ?? 0) };
    const entry = await client.getEntry({ index: 0n, position });
    expect(entry).toMatchObject({
      ...position,
      eventId: fact?.id,
      type: 'writ.registry.v1.AgentSuspended',
      at: fact?.at,
      actor: auditorId,
      cause: 'a-test',
      streamId: `agent-${agentId}`,
      subjectIds: [agentId],
      traceparent: fact?.meta.traceparent,
    });
    expect(JSON.parse(entry.payloadJson)).toEqual({ agentId, reason: 'odd' });
    expect(await client.getEntry({ index: entry.index, position: undefined })).toEqual(entry);
    const head = await client.getLedgerHead({});
    expect(head.size).toBeGreaterThan(entry.index);
  });

  it('is entered once when its relay publishes everything again', async () => {
    const facts = Array.from({ length: 300 }, (_, at) => ({ agentId, reason: `again ${at}` }));
    const stored = await registry.record(suspended, `agent-${agentId}-many`, ...facts);
    const last = stored.at(-1)?.pos ?? 0;
    await registry.relay.rewind(0);
    await entered('registry', last);
    await registry.relay.rewind(0);
    await until(async () => (await registry.relay.lag()) === 0, 'the second publication');
    expect(await timesEntered('registry')).toEqual(Array(last).fill(1));
  });

  it('is entered once when the bus repeats and reorders', async () => {
    const stored: StoredFact[] = [];
    for (let stream = 0; stream < 40; stream += 1)
      stored.push(
        ...(await vault.record(created, `secret-${stream}`, SecretCreated.fromPartial({ secretId }))),
      );
    const shuffled = stored.map((_, at) => stored[(at * 17) % 40]!);
    await vault.publish([...shuffled, ...stored.toReversed(), ...shuffled]);
    await entered('vault', 40);
    expect(await timesEntered('vault')).toEqual(Array(40).fill(1));
    expect((await verified(client)).faults).toEqual([]);
  });
});

describe('facts that are missing between others', () => {
  it('are named as long as they are missing, and raise an alarm after ten seconds', async () => {
    const [lost, later] = [
      ...(await vault.record(created, 'secret-lost', SecretCreated.fromPartial({ secretId }))),
      ...(await vault.record(created, 'secret-later', SecretCreated.fromPartial({ secretId }))),
    ];
    await vault.publish([later!]);
    await until(async () => (await vaultSource())?.highestPos === 42n, 'the later fact');
    expect(await vaultSource()).toMatchObject({ received: 41n, missing: ['41'] });
    expect(alarms()).toEqual([]);
    // Seen once before it is old, then eleven seconds later.
    await delay(1_100);
    house.clock.aheadMs += 11_000;
    await until(async () => alarms().length > 0, 'the alarm');
    expect(alarms()).toMatchObject([{ level: 'error', source: 'vault', positions: '41' }]);
    await vault.publish([lost!]);
    await until(async () => (await vaultSource())?.missing.length === 0, 'the lost fact');
    expect((await verified(client)).faults).toEqual([]);
  });

  const alarms = () =>
    house.logged.filter((line) => line.includes('facts are missing')).map((line) => JSON.parse(line));
  const vaultSource = async () =>
    (await client.listSources({})).sources.find(({ source }) => source === 'vault');
});

describe('a record that is no known fact', () => {
  const opaque = async (eventId: string) => {
    const rows = await house.ask<{ idx: string }>(`select idx from ledger.entry where event_id = $1`, [
      eventId,
    ]);
    return rows.length === 1
      ? client.getEntry({ index: BigInt(rows[0]!.idx), position: undefined })
      : undefined;
  };

  it('is entered as it came when it cannot be decoded', async () => {
    const topic = factsTopic('vault');
    const headers = { ce_type: 'not a type' };
    await vault.bus.publish(topic, 5, [{ key: 'a key', headers, value: Buffer.from([0, 255, 7]) }]);
    const [head] = await house.ask<{ off: string }>(
      'select off from bus.head where topic = $1 and part = 5',
      [topic],
    );
    const eventId = `${topic}/5/${Number(head?.off) - 1}`;
    await until(async () => (await opaque(eventId)) !== undefined, 'the opaque entry');
    const entry = await opaque(eventId);
    expect(entry).toMatchObject({ type: 'opaque', source: 'vault', pos: 0n, subjectIds: [] });
    expect(JSON.parse(entry?.payloadJson ?? '')).toMatchObject({ key: 'a key', headers, value: 'AP8H' });
    expect((await verified(client)).faults).toEqual([]);
  });

  it('is entered with its place when only its type is unknown, and closes no gap wrongly', async () => {
    const stored = await vault.record(
      { type: 'SecretWhispered', codec: SecretCreated },
      'secret-x',
      SecretCreated.fromPartial({}),
    );
    await vault.publish(stored);
    await entered('vault', stored[0]!.pos);
    const entry = await client.getEntry({
      index: 0n,
      position: { source: 'vault', pos: BigInt(stored[0]!.pos) },
    });
    expect(entry).toMatchObject({
      type: 'opaque',
      actor: auditorId,
      streamId: 'secret-x',
      eventId: stored[0]!.id,
    });
    expect(JSON.parse(entry.payloadJson)).toEqual({ type: 'writ.vault.v1.SecretWhispered', value: '' });
  });
});

describe('the list of entries', () => {
  const all = async (filter: Partial<Parameters<LedgerClient['listEntries']>[0]>) => {
    const indexes: number[] = [];
    for (let pageToken = ''; ; ) {
      const request = {
        subjectId: '',
        task: '',
        type: '',
        source: '',
        actor: '',
        startTime: undefined,
        endTime: undefined,
      };
      const page = await client.listEntries({ ...request, pageSize: 7, ...filter, pageToken });
      indexes.push(...page.entries.map(({ index }) => Number(index)));
      pageToken = page.nextPageToken;
      if (pageToken === '') return indexes;
    }
  };
  const indexes = async (where: string) =>
    (await house.ask<{ idx: string }>(`select idx from ledger.entry where ${where} order by idx`)).map(
      ({ idx }) => Number(idx),
    );

  it('finds by subject, task, type, source, actor and time, page by page in order', async () => {
    const broker = await house.source('session-broker');
    const task = `september ${'x'.repeat(300)}`;
    const session = SessionOpened.fromPartial({ sessionId: 'ses_01K41M7JG00000000000000SES', agentId, task });
    const stored = await broker.record({ type: 'SessionOpened', codec: SessionOpened }, 'session-1', session);
    await broker.publish(stored);
    await entered('session-broker', 1);
    const own = await indexes(`source = 'session-broker'`);
    expect(await all({ task })).toEqual(own);
    expect(await all({ subjectId: 'ses_01K41M7JG00000000000000SES' })).toEqual(own);
    expect(await all({ type: 'writ.session.v1.SessionOpened' })).toEqual(own);
    expect(await all({ subjectId: secretId })).toEqual(await indexes(`'${secretId}' = any(subject_ids)`));
    expect(await all({ source: 'vault' })).toEqual(await indexes(`source = 'vault'`));
    expect(await all({ actor: auditorId, source: 'registry' })).toEqual(await indexes(`source = 'registry'`));
    const at = stored[0]!.at;
    expect(await all({ startTime: at, endTime: at })).toEqual([]);
    expect(await all({ endTime: new Date(at.getTime() + 1) })).toContain(own[0]);
  });

  it('refuses a filter that is none, naming each bad field', async () => {
    const refused = await client
      .listEntries({
        ...(await emptyList()),
        subjectId: 'agent 7',
        type: 'Suspended',
        source: 'nobody',
        pageSize: 10,
      })
      .catch((error) => refusalOf(error));
    expect(refused).toMatchObject({ reason: 'INVALID_ARGUMENT' });
    expect(JSON.stringify(refused)).toMatch(/subject_id.*type.*source/s);
  });

  const emptyList = async () => ({
    pageSize: 0,
    pageToken: '',
    subjectId: '',
    task: '',
    type: '',
    source: '',
    actor: '',
    startTime: undefined,
    endTime: undefined,
  });
});

describe('the ledger', () => {
  it.each([
    `update ledger.entry set actor = 'psn_another'`,
    'delete from ledger.entry where idx = 0',
    'truncate ledger.entry',
    'update ledger.state set size = 0',
    'alter table ledger.entry disable trigger append_only',
    `set session_replication_role = replica`,
  ])('lets the service add and nothing else: %s', async (sql) => {
    const database = new Database({ url: house.databaseUrl, applicationName: 'a test' });
    await expect(database.query(sql)).rejects.toMatchObject({ code: '42501' });
    await database.close();
  });

  it('is kept from change even for its owner, by a trigger', async () => {
    await expect(house.ask('delete from ledger.entry where idx = 0')).rejects.toThrow(
      'entries are never changed',
    );
    await expect(house.ask('truncate ledger.entry')).rejects.toThrow('entries are never changed');
  });

  it('answers nobody but those who oversee', async () => {
    const world = house.world;
    const callers = [
      { kind: 'agent', id: agentId },
      { kind: 'person', id: 'psn_01K41M7JG00000000000000PAN' },
      { kind: 'service', id: 'vault' },
      { kind: 'enforcement-point', id: 'erp' },
    ] as const;
    for (const who of callers) {
      const stranger = world.client(audit, LedgerServiceService, await world.identity(who));
      await expect(stranger.getLedgerHead({})).rejects.toThrow('may not call');
      await expect(stranger.traceDecision({ decisionId: '' })).rejects.toThrow('may not call');
      await expect(verified(stranger)).rejects.toThrow('may not call');
    }
  });

  it('says what it does not have', async () => {
    const reason = (answer: Promise<unknown>) => answer.catch((error) => refusalOf(error)?.reason);
    expect(await reason(client.getEntry({ index: 9_999_999n, position: undefined }))).toBe('ENTRY_UNKNOWN');
    const position = { source: 'vault', pos: 9_999_999n };
    expect(await reason(client.getEntry({ index: 0n, position }))).toBe('ENTRY_UNKNOWN');
    expect(await reason(client.getEntry({ index: -1n, position: undefined }))).toBe('INVALID_ARGUMENT');
    expect(await reason(client.traceDecision({ decisionId: 'dec_1' }))).toBe('INVALID_ARGUMENT');
    const decisionId = 'dec_01K41M7JG00000000000000DEC';
    expect(await reason(client.traceDecision({ decisionId }))).toBe('DECISION_UNKNOWN');
    expect(await reason(verified(client, 9_999_999n))).toBe('ENTRY_UNKNOWN');
  });
});
