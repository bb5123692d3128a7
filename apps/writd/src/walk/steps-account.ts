import { storedSubjects } from '@writ/audit/entry/entry.facts.js';
import { CHAIN_START } from '@writ/audit/entry/entry.js';
import { sha256 } from '@writ/audit/entry/entry.store.js';
import { EntryView, type LedgerState } from '@writ/audit/entry/entry.view.js';
import { type Fault, type LedgerRow, verifyLedger } from '@writ/audit/entry/verify.js';
import type { LedgerFault, VerifyLedgerResponse } from '@writ/contracts/writ/audit/v1/ledger.js';
import { Database } from '@writ/event-store';
import { AgentSession, isAllowed } from './agent-session.js';
import { plainAction } from './erp.js';
import { expectThat, type Stage } from './stage.js';
import { detail } from './steps-authority.js';

/** 8. From the payment to the person, through every hop. */
export async function answerFor(stage: Stage): Promise<void> {
  const decisionId = stage.get('paymentDecisionId');
  const trace = await stage.operator.clients.ledger.traceDecision({ decisionId });
  expectThat('Ana answers for payment A', trace.personId === stage.get('ana').id, trace.personId);
  expectThat('nothing is missing on the way', trace.missing.length === 0, trace.missing);
  const kinds = trace.steps.map(({ kind }) => kind);
  expectThat(
    'the way leads through session and mandate',
    ['decision', 'session', 'mandate'].every((kind) => kinds.includes(kind)),
    kinds,
  );
  for (const step of trace.steps) stage.say(`${step.kind} ${step.id}: ${step.summary}`, step.index);
}

/** 9. The ledger verifies; one flipped byte in a copy does not, and is named. */
export async function verify(stage: Stage): Promise<void> {
  const { checked, size, faults } = await verifyByCall(stage);
  expectThat('the ledger verifies', faults.length === 0 && checked === size, faults);
  stage.say(`${checked} entries verified, no fault`, size - 1n);

  const database = new Database({
    url: stage.suite.ownerUrl('writ'),
    applicationName: 'walk',
    connectionsMax: 1,
  });
  try {
    const ledger = new EntryView(database);
    const state = await ledger.state();
    const copy: LedgerRow[] = [];
    for await (const rows of ledger.pages(0, state.size)) copy.push(...rows);
    const at = Math.floor(copy.length / 2);
    const clean = await verifyCopy(state, copy);
    expectThat('a copy verifies', clean.length === 0, clean);
    const flipped = copy.map((row, index) => (index === at ? flipOneByte(row) : row));
    const [fault] = await verifyCopy(state, flipped);
    expectThat('one flipped byte in a copy is found and named', fault?.index === at, fault);
    stage.say(`one flipped byte in a copy: entry ${fault?.index}, ${fault?.kind}: ${fault?.description}`);
  } finally {
    await database.close();
  }
}

function flipOneByte(row: LedgerRow): LedgerRow {
  const payload = Uint8Array.from(row.payload ?? []);
  const last = payload.length - 1;
  payload[last] = (payload[last] ?? 0) ^ 1;
  return { ...row, payload };
}

async function verifyCopy(state: LedgerState, copy: readonly LedgerRow[]): Promise<readonly Fault[]> {
  const faults: Fault[] = [];
  const rows = (async function* () {
    yield copy;
  })();
  const options = { ...state, rows, from: 0, chainBefore: CHAIN_START, sha256, subjects: storedSubjects };
  for await (const progress of verifyLedger(options)) faults.push(...progress.faults);
  return faults;
}

async function verifyByCall(stage: Stage): Promise<{ checked: bigint; size: bigint; faults: LedgerFault[] }> {
  const stream = stage.operator.clients.ledger.verifyLedger({ fromIndex: 0n }, { deadlineMs: 30_000 });
  const answer = { checked: 0n, size: 0n, faults: [] as LedgerFault[] };
  for await (const progress of stream as AsyncIterable<VerifyLedgerResponse>) {
    answer.checked = progress.entriesChecked;
    answer.size = progress.size;
    answer.faults.push(...progress.faults);
  }
  return answer;
}

/** 10. A crash of each process in the middle of a decision: nothing lost, nothing twice. */
export async function crash(stage: Stage): Promise<void> {
  const mandate = await stage.get('ana').clients.mandates.grantMandate({
    agentId: stage.get('fxAgent').id,
    purpose: 'rates after a crash',
    authorizationDetails: [detail('rate', ['read'], { locations: ['fx'], identifier: 'rates/*' })],
    limits: undefined,
    expireTime: stage.inHours(1),
    maxDepth: 0,
    requestId: '',
  });
  await stage.entryOf(mandate.mandateId, 'writ.session.v1.MandateGranted');
  const session = await AgentSession.open(
    stage,
    stage.get('fxAgent'),
    { mandateId: mandate.mandateId },
    'read rates',
  );
  for (const { name } of stage.suite.processes.programs) await crashOne(stage, session, name);
  const { sources } = await stage.operator.clients.ledger.listSources({});
  const incomplete = sources.filter(({ missing }) => missing.length > 0);
  expectThat('the ledger misses nothing of any service', incomplete.length === 0, incomplete);
  const { checked, faults } = await verifyByCall(stage);
  expectThat('the ledger verifies after the crashes', faults.length === 0, faults);
  stage.say(
    `${checked} entries verified after ${stage.suite.processes.programs.length} crashes; every source is complete`,
  );
}

async function crashOne(stage: Stage, session: AgentSession, name: string): Promise<void> {
  const { processes } = stage.suite;
  const requestId = stage.clock.newEventId();
  const rates = plainAction('rate', 'read', 'fx', `rates/${name}`);
  const first = session.decide(rates, { requestId }).catch(() => undefined);
  await processes.kill(name);
  const before = await first;
  const { ms } = await stage.timed(() => processes.startAgain(name));
  // The client retries the same question with the same id until somebody answers.
  const decided = await stage.until(`a decision after the crash of ${name}`, async () => {
    const answer = await session.decide(rates, { requestId }).catch(() => undefined);
    return answer !== undefined && isAllowed(answer) ? answer : undefined;
  });
  const same = before === undefined || !isAllowed(before) || before.decisionId === decided.decisionId;
  expectThat('a retry is the same decision', same, { before, decided });
  const again = await session.decide(rates, { requestId });
  expectThat('and stays the same', again.decisionId === decided.decisionId, again);
  const index = await stage.entryAt(decided.position);
  stage.say(`${name} killed in the middle of a decision, back in ${ms.toFixed(0)} ms; decided once`, index);
}
