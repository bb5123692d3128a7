import { endProcess, reasonOf, SettingsError } from '@writ/service';

const EXIT_FAILED = 1;
/** EX_CONFIG of sysexits: running it again will not help before somebody changes a setting. */
const EXIT_CONFIG = 78;

/** Says on standard output how far a job has come. */
export type Say = (line: string) => void;

/**
 * The whole of a one-shot program that an orchestrator runs before the services: it ends with 0, or says why not in one
 * line on standard error and ends with 78 (a setting) or 1 (anything else). Running it again changes nothing.
 */
export async function runJob(name: string, work: (say: Say) => Promise<void>): Promise<void> {
  try {
    await work((line) => process.stdout.write(`${name}: ${line}\n`));
  } catch (error) {
    process.stderr.write(`${name} failed: ${reasonOf(error)}\n`);
    await endProcess(error instanceof SettingsError ? EXIT_CONFIG : EXIT_FAILED);
  }
}
