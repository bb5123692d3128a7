import { CommanderError } from 'commander';
import { usage } from './cli-failure.js';
import { type CliSettings, cliSettings } from './cli-settings.js';
import { type ExitCode, exitCodes } from './exit-codes.js';
import type { Io } from './io.js';
import { type JsonObject, textAt } from './json.js';
import { extrasFound, type Found, programOf } from './program.js';
import { nowhere, reportFailure, type Scene } from './report-failure.js';
import { requestOf, type Typed } from './request.js';
import { runVerb } from './run-verb.js';
import { Suite } from './suite.js';
import { tree } from './tree.js';
import { isCall, isSignedAnew } from './verb.js';

const usageErrors = new Set(['commander.help', 'commander.helpDisplayed', 'commander.version']);

/**
 * Runs one command line and answers how the process should end. Nothing here ends it: tests and `writd` call this too.
 * @param argv without the program's own name
 */
export async function main(argv: readonly string[], io: Io): Promise<ExitCode> {
  let exitCode: ExitCode = exitCodes.ok;
  // Until flags are parsed nobody knows the format; a look at the words decides how their own errors are told.
  const asked: Pick<CliSettings, 'format'> = { format: wantsJson(argv) ? 'json' : 'table' };
  const program = programOf(tree, io, async (found) => {
    exitCode = await run(found, io);
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) return reportFailure(error, io, asked, nowhere);
    if (usageErrors.has(error.code)) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    const failure = usage(
      error.message
        .replace(/^error: /, '')
        .replaceAll("'", '`')
        .replaceAll('\n', ' '),
      helpFor(argv),
    );
    return reportFailure(failure, io, asked, nowhere);
  }
}

async function run(found: Found, io: Io): Promise<ExitCode> {
  const { title, verb, args, flags } = found;
  let settings: CliSettings | undefined;
  let suite: Suite | undefined;
  let scene: Scene = { ...nowhere, title };
  try {
    settings = cliSettings(flags, io);
    suite = new Suite(io, settings);
    const requestId = settings.requestId ?? io.clock.newEventId();
    const typed = { args, flags, requestId, now: io.clock.now(), counted: [] };
    const request = isCall(verb) ? await requestOf(verb, typed, suite.files) : {};
    scene = sceneOf(found, request, typed);
    return await runVerb({
      io,
      settings,
      suite,
      title,
      verb,
      args,
      extras: extrasFound(verb, flags),
      request,
    });
  } catch (error) {
    return reportFailure(error, io, settings ?? { format: 'table' }, scene);
  } finally {
    await suite?.close();
  }
}

function sceneOf({ title, verb }: Found, request: JsonObject, { counted }: Pick<Typed, 'counted'>): Scene {
  if (!isCall(verb)) return { ...nowhere, title };
  const sent = JSON.stringify(request);
  return {
    title,
    requestId: textAt(request, 'requestId'),
    signedAnew: isSignedAnew(verb),
    // A flag may have replaced what the file counted.
    counted: counted.filter(({ time }) => sent.includes(time)),
  };
}

function wantsJson(argv: readonly string[]): boolean {
  const index = argv.findIndex((word) => word === '-o' || word === '--output');
  const value = index < 0 ? argv.find((word) => /^(-o|--output=)json/.test(word)) : argv[index + 1];
  return value !== undefined && /json/.test(value);
}

function helpFor(argv: readonly string[]): string {
  const words = argv.filter((word) => /^[a-z][a-z-]*$/.test(word)).slice(0, 2);
  const branch = tree.find(({ name }) => name === words[0]);
  return branch === undefined ? 'writ --help' : `writ ${branch.name} --help`;
}
