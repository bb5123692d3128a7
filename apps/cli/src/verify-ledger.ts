import { CliFailure } from './cli-failure.js';
import { type ExitCode, exitCodes } from './exit-codes.js';
import { type Json, type JsonObject, listAt, textAt } from './json.js';
import { ledgerVerification } from './ledger-rpc.js';
import type { Work } from './work.js';

/** Reads the whole verification: progress goes to people, faults are gathered, the end counts only if it says so. */
export async function verifyLedger(work: Work): Promise<JsonObject> {
  const faults: Json[] = [];
  let last: JsonObject = {};
  const tell = progress(work);
  for await (const answer of work.suite.stream(ledgerVerification, work.request)) {
    faults.push(...listAt(answer, 'faults'));
    last = answer;
    tell(Number(textAt(answer, 'entriesChecked')), Number(textAt(answer, 'size')));
  }
  if (last.done !== true)
    throw new CliFailure(exitCodes.unavailable, 'the verification ended before it was done', {
      next: 'writ ledger verify',
    });
  return { ...last, ...(faults.length > 0 && { faults }) };
}

export function verificationCode(answer: JsonObject): ExitCode {
  return listAt(answer, 'faults').length > 0 ? exitCodes.integrity : exitCodes.ok;
}

/** One line that changes on a terminal; elsewhere a line whenever another tenth is done. */
function progress({ io, settings }: Work): (checked: number, size: number) => void {
  if (settings.quiet) return () => undefined;
  let told = -1;
  return (checked, size) => {
    const tenth = size === 0 ? 10 : Math.floor((checked * 10) / size);
    if (told === 10) return;
    const text = `checked ${checked} of ${size} entries`;
    const moves = io.err.tty && io.env.TERM !== 'dumb';
    if (moves) io.err.write(`\r${text}${tenth === 10 ? '\n' : ''}`);
    else if (tenth > told) io.err.write(`${text}\n`);
    told = Math.max(told, tenth);
  };
}
