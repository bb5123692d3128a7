import { usage } from './cli-failure.js';
import type { Io } from './io.js';
import { durationMs } from './moment.js';

export const formats = ['table', 'wide', 'json', 'yaml', 'jsonl', 'name'] as const;
export type Format = (typeof formats)[number];

/** What every command takes. Flags come first, then the environment, then what is built in. */
export interface CliSettings {
  readonly home: string | undefined;
  readonly profile: string;
  readonly format: Format;
  readonly quiet: boolean;
  readonly color: boolean;
  readonly showApi: boolean;
  readonly dryRun: boolean;
  readonly input: boolean;
  /** For the answer of a service; for `wait`, of the people asked. */
  readonly timeoutMs: number | undefined;
  /** The idempotency key; a fresh one for each command when absent. */
  readonly requestId: string | undefined;
}

export interface GlobalFlag {
  readonly flags: string;
  readonly doc: string;
}

export const globalFlags: readonly GlobalFlag[] = [
  {
    flags: '--home <DIR>',
    doc: 'folder of the suite (env WRIT_HOME; else the nearest `.writ` at or above the working folder)',
  },
  { flags: '--profile <NAME>', doc: 'whose certificate and key to use (env WRIT_PROFILE; else `operator`)' },
  { flags: '-o, --output <FORMAT>', doc: `${formats.join(', ')}; else \`table\`` },
  { flags: '--quiet', doc: 'no hints and no colour' },
  { flags: '--no-color', doc: 'no colour (also NO_COLOR, TERM=dumb, and wherever output is no terminal)' },
  { flags: '--show-api', doc: 'print the call as grpcurl and buf commands instead of making it' },
  {
    flags: '--dry-run',
    doc: 'change nothing: let the service validate where it can, else print the request',
  },
  { flags: '--timeout <DURATION>', doc: 'how long to wait, such as `10s` or `5m`; else `10s`' },
  { flags: '--request-id <UUID>', doc: 'idempotency key of a change; else a fresh one' },
  { flags: '--no-input', doc: 'never ask: a question is an error that names the flag which answers it' },
];

/** @throws CliFailure for a value that cannot be meant */
export function cliSettings(options: Readonly<Record<string, unknown>>, io: Io): CliSettings {
  const quiet = options.quiet === true;
  const asked = text(options.output) ?? 'table';
  const format = formats.find((known) => known === asked);
  if (format === undefined) throw usage(`\`-o ${asked}\` is no format`, `one of ${formats.join(', ')}`);
  const timeout = text(options.timeout);
  const timeoutMs = timeout === undefined ? undefined : durationMs(timeout);
  if (timeout !== undefined && (timeoutMs === undefined || timeoutMs === 0))
    throw usage(`\`--timeout ${timeout}\` is no duration`, 'for example `--timeout 10s`');
  const { NO_COLOR, TERM, WRIT_HOME, WRIT_PROFILE } = io.env;
  return {
    home: text(options.home) ?? (WRIT_HOME || undefined),
    profile: text(options.profile) ?? (WRIT_PROFILE || 'operator'),
    format,
    quiet,
    color: options.color !== false && !quiet && !NO_COLOR && TERM !== 'dumb' && io.out.tty,
    showApi: options.showApi === true,
    dryRun: options.dryRun === true,
    input: options.input !== false,
    timeoutMs,
    requestId: text(options.requestId),
  };
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
