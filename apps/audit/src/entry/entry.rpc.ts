import { once } from 'node:events';
import type { ServerWritableStream } from '@grpc/grpc-js';
import { Injectable } from '@nestjs/common';
import type {
  Entry,
  GetEntryRequest,
  LedgerHead,
  ListEntriesRequest,
  ListEntriesResponse,
  ListSourcesResponse,
  TraceDecisionRequest,
  TraceDecisionResponse,
  VerifyLedgerRequest,
  VerifyLedgerResponse,
} from '@writ/contracts/writ/audit/v1/ledger.js';
import { type GetLedgerHeadRequest, LedgerServiceService } from '@writ/contracts/writ/audit/v1/ledger.js';
import { base64Url, type Call, refusals } from '@writ/kernel';
import {
  type Access,
  type Calls,
  check,
  id,
  integer,
  isServiceName,
  optional,
  Pages,
  type Problem,
  required,
  Telemetry,
  text,
  timestamp,
} from '@writ/service';
import { rangeText } from '../source/range.js';
import { FoundSources, SourceView } from '../source/source.view.js';
import { AuditTelemetry } from '../telemetry.js';
import { traceDecision } from '../trace/trace.js';
import { TraceView } from '../trace/trace.view.js';
import { factJson, isFactType, openFact, storedSubjects } from './entry.facts.js';
import { CHAIN_START, digestInRecord, OPAQUE } from './entry.js';
import { sha256 } from './entry.store.js';
import { type EntryFilter, EntryView } from './entry.view.js';
import { type LedgerRow, verifyLedger } from './verify.js';

const readers = ['role:auditor', 'role:security', 'role:admin', 'role:operator'] as const;

/** The ledger names everybody: it is read by those who oversee, and by nobody through an agent. */
export const ledgerAccess = {
  getLedgerHead: readers,
  getEntry: readers,
  listEntries: readers,
  verifyLedger: readers,
  traceDecision: readers,
  listSources: readers,
} as const satisfies Access<typeof LedgerServiceService>;

const refuse = refusals({ ENTRY_UNKNOWN: 'not-found', DECISION_UNKNOWN: 'not-found' });

@Injectable()
export class LedgerRpc implements Calls<typeof LedgerServiceService> {
  static readonly service = LedgerServiceService;
  static readonly access = ledgerAccess;
  private readonly telemetry: AuditTelemetry;

  constructor(
    private readonly entries: EntryView,
    private readonly sources: SourceView,
    private readonly traces: TraceView,
    private readonly pages: Pages,
    telemetry: Telemetry,
  ) {
    this.telemetry = new AuditTelemetry(telemetry.log);
  }

  async getLedgerHead(_request: GetLedgerHeadRequest): Promise<LedgerHead> {
    const { size, chain } = await this.entries.state();
    return { size: BigInt(size), chain: base64Url(chain) };
  }

  async getEntry({ index, position }: GetEntryRequest): Promise<Entry> {
    if (position !== undefined) {
      const { source, pos } = position;
      check({
        'position.source': required(source, serviceName(source)),
        'position.pos': integer(pos, { max: MAX_SAFE }),
      });
      const row = await this.entries.byPosition(source, Number(pos));
      if (row) return entryMessage(row);
      throw refuse(
        'ENTRY_UNKNOWN',
        `no entry for position \`${pos}\` of \`${source}\`; see its missing ranges`,
      );
    }
    check({ index: integer(index, { min: 0, max: MAX_SAFE }) });
    const row = await this.entries.byIndex(Number(index));
    if (row) return entryMessage(row);
    throw refuse('ENTRY_UNKNOWN', `no entry \`${index}\`; the ledger's head says how many there are`);
  }

  async listEntries(request: ListEntriesRequest, call: Call): Promise<ListEntriesResponse> {
    const filter = filterOf(request);
    const page = this.pages.open(request, {
      list: 'entries',
      caller: call.caller.id,
      ...filter,
      startTime: filter.startTime?.toISOString() ?? '',
      endTime: filter.endTime?.toISOString() ?? '',
    });
    const from = page.after === undefined ? 0 : Number(page.after) + 1;
    const { rows, more } = await this.entries.list(filter, { from, limit: page.size });
    const last = rows.at(-1);
    return {
      entries: rows.map(entryMessage),
      nextPageToken: more && last !== undefined ? page.next(String(last.index)) : '',
    };
  }

  async listSources(): Promise<ListSourcesResponse> {
    const positions = await this.sources.positions();
    return {
      sources: [...positions].map(([source, set]) => ({
        source,
        received: BigInt(set.count()),
        highestPos: BigInt(set.highest()),
        missing: set.missing().map(rangeText),
      })),
    };
  }

  async traceDecision({ decisionId }: TraceDecisionRequest): Promise<TraceDecisionResponse> {
    check({ decisionId: required(decisionId, id('dec', decisionId)) });
    const trace = await traceDecision(decisionId, this.traces);
    if (trace === undefined)
      throw refuse(
        'DECISION_UNKNOWN',
        `no decision \`${decisionId}\` in the ledger; it may not have arrived yet`,
      );
    return {
      personId: trace.personId,
      missing: [...trace.missing],
      steps: trace.steps.map((step) => ({ ...step, index: BigInt(step.index) })),
    };
  }

  async verifyLedger(stream: ServerWritableStream<VerifyLedgerRequest, VerifyLedgerResponse>): Promise<void> {
    const { fromIndex } = stream.request;
    check({ fromIndex: integer(fromIndex, { min: 0, max: MAX_SAFE }) });
    const { state, sources } = await this.sources.snapshot();
    const from = Number(fromIndex);
    if (from > 0 && from >= state.size)
      throw refuse('ENTRY_UNKNOWN', `no entry \`${from}\`; the ledger has ${state.size} entries`);
    const progress = verifyLedger({
      ...state,
      rows: this.entries.pages(from, state.size),
      from,
      chainBefore: (from === 0 ? undefined : await this.entries.chainBefore(from)) ?? CHAIN_START,
      sha256,
      subjects: storedSubjects,
      sources: from === 0 ? new FoundSources(sources) : undefined,
    });
    let faults = 0;
    for await (const step of progress) {
      if (stream.cancelled || stream.destroyed) return;
      faults += step.faults.length;
      await written(stream, {
        entriesChecked: BigInt(step.checked),
        size: BigInt(state.size),
        faults: step.faults.map((fault) => ({ ...fault, index: BigInt(fault.index) })),
        done: step.done,
        chain: base64Url(step.chain),
      });
      if (step.done) this.telemetry.verified(step.checked, faults);
    }
    stream.end();
  }
}

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);
const SUBJECT = /^[a-z]{3}_[0-9A-HJKMNP-TV-Z]{26}$/;

/** Does not read on before the client has taken what was sent. */
async function written(
  stream: ServerWritableStream<VerifyLedgerRequest, VerifyLedgerResponse>,
  message: VerifyLedgerResponse,
): Promise<void> {
  if (stream.write(message)) return;
  const gone = new AbortController();
  const leave = () => gone.abort();
  stream.once('cancelled', leave);
  try {
    await once(stream, 'drain', { signal: gone.signal });
  } catch (error) {
    if (!gone.signal.aborted) throw error;
  } finally {
    stream.off('cancelled', leave);
  }
}

function filterOf(request: ListEntriesRequest): EntryFilter {
  const { subjectId, task, type, source, actor, startTime, endTime } = request;
  check({
    subjectId: optional(
      subjectId,
      SUBJECT.test(subjectId) ? undefined : 'must be an id, such as `agt_` and a ULID',
    ),
    task: optional(task, text(task, { max: 2_000, multiline: true })),
    type: optional(
      type,
      isFactType(type) || type === OPAQUE ? undefined : 'must be a full name of a fact, or `opaque`',
    ),
    source: optional(source, serviceName(source)),
    actor: optional(actor, text(actor, { max: 1_024 })),
    startTime: startTime && timestamp(startTime),
    endTime: endTime && timestamp(endTime),
  });
  const given = Object.entries({ subjectId, task, type, source, actor }).filter(([, value]) => value !== '');
  return { ...Object.fromEntries(given), startTime, endTime };
}

function entryMessage(row: LedgerRow): Entry {
  const { index, source, pos, eventId, type, actor, cause, streamId, traceparent } = row;
  return {
    index: BigInt(index),
    source,
    pos: BigInt(pos),
    eventId,
    type,
    at: new Date(row.atMs),
    actor,
    cause,
    streamId,
    payloadDigest: base64Url(digestInRecord(row.record) ?? new Uint8Array()),
    leaf: base64Url(row.leaf),
    chain: base64Url(row.chain),
    payloadJson: payloadJson(row),
    traceparent,
    subjectIds: [...row.subjectIds],
  };
}

/** Empty once the payload was erased. What is opaque is kept as JSON that says what came. */
function payloadJson({ type, payload }: LedgerRow): string {
  if (payload === undefined) return '';
  if (type === OPAQUE) return Buffer.from(payload).toString('utf8');
  const opened = openFact(type, payload);
  return opened === undefined ? '' : factJson(opened);
}

function serviceName(name: string): Problem {
  return isServiceName(name) ? undefined : 'must be the name of a service, such as `registry`';
}
