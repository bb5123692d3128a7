import { stringify } from 'yaml';
import { usage } from './cli-failure.js';
import { fieldNamed } from './contract.js';
import { type ExitCode, exitCodes } from './exit-codes.js';
import { type JsonObject, listAt, textAt } from './json.js';
import { printAnswer } from './print-answer.js';
import { fieldAt } from './request.js';
import type { UnaryRpc } from './rpc.js';
import { showApi, shownRequest } from './show-api.js';
import { type CallVerb, isCall } from './verb.js';
import { ask, hint, type Work } from './work.js';

const pagesMax = 10_000;

export async function runVerb(work: Work): Promise<ExitCode> {
  const { verb } = work;
  return isCall(verb) ? runCall(work, verb) : verb.run(work);
}

async function runCall(work: Work, verb: CallVerb): Promise<ExitCode> {
  const { settings, request } = work;
  const canValidate = fieldNamed(verb.rpc.request, 'validate_only') !== undefined;
  if (settings.dryRun && canValidate) request.validateOnly = true;
  if (settings.showApi) {
    await showApi(work, verb);
    return exitCodes.ok;
  }
  if (settings.dryRun && !canValidate) {
    dryRun(work, verb);
    return exitCodes.ok;
  }
  const after = await verb.before?.(work);
  await confirm(work, verb);
  const answer = await (verb.send?.(work) ?? send(work, verb));
  await after?.(answer);
  if (verb.prints?.(work) ?? true)
    printAnswer(work.io, settings, verb.shape, withoutSecrets(work, verb, answer));
  hint(work, verb.hint?.(answer) ?? '');
  const next = textAt(answer, 'nextPageToken');
  if (verb.pages !== undefined && next !== '') hint(work, `more: --page-token ${next}, or --all`);
  return verb.verdict?.(answer) ?? exitCodes.ok;
}

function dryRun({ io, settings, request }: Work, verb: CallVerb): void {
  const shown = shownRequest(verb, request);
  io.err.write(`nothing was sent; this would go to ${verb.rpc.title}\n`);
  const inJson = settings.format === 'json' || settings.format === 'jsonl';
  io.out.write(inJson ? `${JSON.stringify(shown, null, 2)}\n` : stringify(shown));
}

async function send(work: Work, verb: CallVerb): Promise<JsonObject> {
  const rpc = unaryOf(verb);
  const answer = await work.suite.call(rpc, work.request);
  if (verb.pages === undefined || work.extras.all !== true) return answer;
  const items = [...listAt(answer, verb.pages)];
  let token = textAt(answer, 'nextPageToken');
  for (let page = 1; token !== '' && page < pagesMax; page += 1) {
    const more = await work.suite.call(rpc, { ...work.request, pageToken: token });
    items.push(...listAt(more, verb.pages));
    token = textAt(more, 'nextPageToken');
  }
  return { [verb.pages]: items, ...(token !== '' && { nextPageToken: token }) };
}

function unaryOf({ name, rpc }: CallVerb): UnaryRpc {
  const { method } = rpc;
  if (method.responseStream) throw new Error(`\`${name}\` streams and has to say how it is read`);
  return { ...rpc, method: { ...method, responseStream: false } };
}

/** `--yes` or `--confirm` answers the question beforehand. */
async function confirm(work: Work, { confirm: asked, rpc }: CallVerb): Promise<void> {
  if (asked === undefined) return;
  if (asked.kind === 'yes') {
    if (work.extras.yes === true) return;
    const answer = await ask(work, `${asked.question} [y/N]`, '--yes');
    if (!/^y(es)?$/i.test(answer)) throw usage('not confirmed; nothing was done');
    return;
  }
  const wanted = wantedText(work, fieldAt(rpc.request, asked.field).jsonName);
  const given =
    work.extras.confirm ?? (await ask(work, `${asked.question}: type \`${wanted}\``, '--confirm'));
  if (given !== wanted) throw usage(`\`${String(given)}\` is not \`${wanted}\`; nothing was done`);
}

function wantedText({ request }: Work, field: string): string {
  return textAt(request, field) || 'everything';
}

function withoutSecrets({ extras }: Work, { hides = {} }: CallVerb, answer: JsonObject): JsonObject {
  const hidden = Object.entries(hides).filter(([, flag]) => extras[flag] !== true);
  return Object.fromEntries(
    Object.entries(answer).filter(([field]) => !hidden.some(([secret]) => secret === field)),
  );
}
