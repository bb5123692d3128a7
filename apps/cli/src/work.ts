import { usage } from './cli-failure.js';
import type { Work } from './verb.js';

export type { Work };

/** The value of a flag of the command itself. */
export function extra({ extras }: Work, flag: string): string | undefined {
  const value = extras[flag];
  return typeof value === 'string' ? value : undefined;
}

/** Tells a person something that is no data. Silent where a program reads, and with `--quiet`. */
export function hint({ io, settings }: Pick<Work, 'io' | 'settings'>, text: string): void {
  const forPeople = settings.format === 'table' || settings.format === 'wide';
  if (text !== '' && forPeople && !settings.quiet) io.err.write(`${text}\n`);
}

/**
 * Asks on the terminal, whatever the format: an answer is needed.
 * @param flag what answers the question without asking
 */
export async function ask({ io, settings }: Work, question: string, flag: string): Promise<string> {
  if (!settings.input || !io.input.tty) throw usage(`\`${flag}\` is needed where nobody can be asked`);
  io.err.write(`${question} `);
  return (await io.input.line()).trim();
}

/** Reads a file, or standard input for `-`. Content MUST NOT appear in an error: it may be a secret. */
export async function content(work: Pick<Work, 'suite'>, path: string): Promise<Buffer> {
  return work.suite.files.read(path);
}
