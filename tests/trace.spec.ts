import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { traceIdOf } from '@writ/service';
import { WholeSuite } from './whole-suite.js';
import { erpDatabase, workingAgent } from './working-agent.js';

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const trace = { traceparent: `00-${TRACE_ID}-00f067aa0ba902b7-01`, tracestate: 'writtest=t1' };

/** What one call of a person leads to, in the order in which one leads to the next, and who records it. */
const consequences = [
  ['registry', 'PersonLeft'],
  ['registry', 'AgentOrphaned'],
  ['session-broker', 'SessionEnded'],
] as const;

let suite: WholeSuite;
const entries = new Map<string, { traceparent: string; source: string; pos: bigint; cause: string }>();

beforeAll(async () => {
  suite = await WholeSuite.start();
  const { sponsor } = await workingAgent(suite, await erpDatabase(suite));
  const leaver = { personId: sponsor.id, etag: '', requestId: '' };
  await suite.admin.clients.people.markPersonLeft(leaver, { trace });
  for (const [source, type] of consequences)
    await suite.until(`${type} in the ledger`, () => arrived(source, type));
}, 120_000);

afterAll(async () => {
  await suite?.stop();
});

async function arrived(source: string, type: string): Promise<boolean> {
  const filter = { pageSize: 200, pageToken: '', subjectId: '', task: '', type: '', actor: '', source };
  const times = { startTime: undefined, endTime: undefined };
  const page = await suite.admin.clients.ledger.listEntries({ ...filter, ...times });
  const entry = page.entries.findLast((one) => one.type.endsWith(`.${type}`));
  if (entry !== undefined) entries.set(type, entry);
  return entry !== undefined;
}

const entryOf = (type: string) => {
  const entry = entries.get(type);
  if (entry === undefined) throw new Error(`no entry of ${type}`);
  return entry;
};

describe('one trace', () => {
  it.each(consequences)('is that of the client in what %s records as %s', async (source, type) => {
    const schema = source.replaceAll('-', '_');
    const text = `select meta, pos from ${schema}.event where type = $1 order by pos desc limit 1`;
    const [fact] = await suite.sql<{ meta: { traceparent: string; tracestate: string }; pos: string }>(text, [
      type,
    ]);
    expect(traceIdOf(fact?.meta.traceparent ?? '')).toBe(TRACE_ID);
    expect(fact?.meta.tracestate).toBe(trace.tracestate);
    expect(entryOf(type).pos).toBe(BigInt(fact?.pos ?? 0));
  });

  it.each(consequences)('travels on the bus with the fact of %s, %s', async (source, type) => {
    const text = `select headers from bus.log where topic = $1 and headers->>'ce_type' like $2 order by headers->>'pos' desc`;
    const [record] = await suite.sql<{ headers: Record<string, string> }>(text, [
      `writ.${source}.facts.v1`,
      `%.${type}`,
    ]);
    expect(traceIdOf(record?.headers.traceparent ?? '')).toBe(TRACE_ID);
    expect(record?.headers.tracestate).toBe(trace.tracestate);
  });

  it.each(consequences)('is in the ledger entry of what %s recorded, %s', (_source, type) => {
    expect(traceIdOf(entryOf(type).traceparent)).toBe(TRACE_ID);
  });

  it('has a span of its own in the service, below that of the client', () => {
    const [, , spanId] = entryOf('PersonLeft').traceparent.split('-');
    expect(spanId).toMatch(/^[0-9a-f]{16}$/);
    expect(spanId).not.toBe('00f067aa0ba902b7');
  });

  it('names what each consequence was caused by', () => {
    expect(entryOf('AgentOrphaned').cause).toBe(`fact:registry/${entryOf('PersonLeft').pos}`);
    expect(entryOf('SessionEnded').cause).toMatch(/^fact:registry\/\d+$/);
  });

  it('is not shared by what other calls recorded', async () => {
    const text = 'select type, traceparent from ledger.entry';
    const all = await suite.sql<{ type: string; traceparent: string }>(text);
    const shared = all.filter(({ traceparent }) => traceIdOf(traceparent) === TRACE_ID);
    expect(shared.map(({ type }) => type.slice(type.lastIndexOf('.') + 1)).sort()).toEqual(
      consequences.map(([, type]) => type).sort(),
    );
    expect(all.length).toBeGreaterThan(shared.length);
  });
});
