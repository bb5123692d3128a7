import { refusalOf } from '@writ/service';
import { CliFailure } from './cli-failure.js';
import { type ExitCode, exitCodes } from './exit-codes.js';
import { gapsIn, type Health, healthOf, isServing } from './health.js';
import { type Json, type JsonObject, listAt, textAt } from './json.js';
import { ledgerHead, ledgerSources } from './ledger-rpc.js';
import { printAnswer } from './print-answer.js';
import type { UnaryRpc } from './rpc.js';
import { cellText, column, listOf, shape } from './shape.js';
import type { LocalVerb } from './verb.js';
import { hint, type Work } from './work.js';

const line = shape([column('what', 'what'), column('where', 'where'), column('state', 'state')], (row) =>
  textAt(row, 'what'),
);

export const statusVerb: LocalVerb = {
  name: 'status',
  doc: 'every endpoint of the running suite, whether it serves, and how the ledger stands; exit code 8 when not all serve',
  run: status,
};

async function status(work: Work): Promise<ExitCode> {
  const { suite, settings, io } = work;
  const record = await suite.record();
  const health = await healthOf(suite);
  const ledger = await ledgerState(work);
  const endpoints = health.map(({ service, address, status: state }) => ({
    service,
    address,
    status: state,
  }));
  const { trustDomain, carrier, others, startedAt, pid } = record;
  const answer: JsonObject = { trustDomain, carrier, startedAt, pid, endpoints, others, ledger };
  const forPeople = settings.format === 'table' || settings.format === 'wide' || settings.format === 'name';
  const lines = { lines: linesOf(health, others, carrier, ledger) };
  if (forPeople) printAnswer(io, settings, listOf('lines', line), lines);
  else printAnswer(io, settings, shape([]), answer);
  const down = health.filter((one) => !isServing(one));
  if (down.length > 0)
    hint(work, `not serving: ${down.map(({ service }) => service).join(', ')}. next: writ doctor`);
  return down.length > 0 ? exitCodes.unavailable : exitCodes.ok;
}

function linesOf(
  health: readonly Health[],
  others: Readonly<Record<string, string>>,
  carrier: string,
  ledger: JsonObject,
): readonly Json[] {
  const gaps = gapsIn(listAt(ledger, 'sources'));
  const gapText = gaps.map((gap) => `${textAt(gap, 'source')} ${cellText(gap.missing)}`).join('; ');
  const refused = textAt(ledger, 'unavailable');
  return [
    ...health.map(({ service, address, status: state }) => ({
      what: service,
      where: address,
      state: state.toLowerCase().replaceAll('_', '-'),
    })),
    { what: 'carrier', where: carrier, state: '' },
    ...Object.entries(others).map(([what, where]) => ({ what, where, state: '' })),
    {
      what: 'ledger',
      where: refused || `${textAt(ledger, 'size') || '0'} entries`,
      state: textAt(ledger, 'chain'),
    },
    ...(refused === ''
      ? [{ what: 'gaps', where: gapText || 'none', state: gapText === '' ? 'ok' : 'failed' }]
      : []),
  ];
}

/** Head and sources, or why this caller cannot see them. */
async function ledgerState(work: Work): Promise<JsonObject> {
  const ask = (rpc: UnaryRpc) => work.suite.call(rpc, {});
  try {
    const [head, { sources = [] }] = [await ask(ledgerHead), await ask(ledgerSources)];
    return { ...head, sources };
  } catch (error) {
    const refusal = refusalOf(error);
    if (refusal === undefined && !(error instanceof CliFailure)) throw error;
    return { unavailable: refusal?.reason ?? 'not part of this suite' };
  }
}
