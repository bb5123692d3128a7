import { type Call, refusals } from '@writ/kernel';
import type { Database } from './database.js';
import { schemasOf } from './names.js';
import type { Tx } from './tx.js';

export const refuseCommand = refusals({ REQUEST_ID_REUSED: 'conflict', ETAG_STALE: 'stale' });

/** Where a command's facts are: enough to answer it again. */
export interface CommandResult {
  readonly streamId: string;
  /** The stream's version before and after the command; equal when it changed nothing. */
  readonly from: number;
  readonly version: number;
}

interface LoggedResult extends CommandResult {
  readonly callId: string;
}

/** How long a request id is remembered: a retry after that is a new command. */
const COMMAND_KEPT_HOURS = 24;

/** Remembers the commands that had a request id (AIP-155), so that a retry gets the first answer and no second effect. */
export class CommandLog {
  private readonly table: string;

  constructor(
    private readonly database: Database,
    service: string,
  ) {
    this.table = `${schemasOf(service).facts}.command`;
  }

  /**
   * Takes the request id for this transaction, or answers what it led to before. A second caller with the same id waits
   * here until the first has ended.
   *
   * @throws Refusal REQUEST_ID_REUSED when the id came with another request
   * @throws Error when one call uses its id for two commands: the second would be taken for a retry of the first
   */
  async begin(tx: Tx, { requestId, requestHash, at, ...call }: Call): Promise<CommandResult | undefined> {
    if (requestId === '') return undefined;
    checkHash(requestHash);
    const caller = callerKey(call);
    const taken = await tx.query(
      `insert into ${this.table} (caller, key, req_hash, at) values ($1, $2, $3, $4) on conflict do nothing`,
      [caller, requestId, requestHash, at],
      `${this.table}.take`,
    );
    if (taken.rowCount === 1) return undefined;
    const { rows } = await tx.query<{ req_hash: string; result: LoggedResult | null }>(
      `select req_hash, result from ${this.table} where caller = $1 and key = $2`,
      [caller, requestId],
      `${this.table}.look`,
    );
    const before = rows[0];
    if (before?.req_hash !== requestHash)
      throw refuseCommand(
        'REQUEST_ID_REUSED',
        `request id \`${requestId}\` came before with another request; use a new one`,
      );
    if (before.result === null || before.result.callId === call.callId)
      throw new Error(`call \`${call.callId}\` uses its request id for two commands`);
    return before.result;
  }

  /** Takes the request id and notes what it leads to, without waiting: when it is taken already, `tx` fails. */
  claim(tx: Tx, { requestId, requestHash, at, ...call }: Call, result: CommandResult): void {
    if (requestId === '') return;
    checkHash(requestHash);
    tx.send(
      `insert into ${this.table} (caller, key, req_hash, at, result) values ($1, $2, $3, $4, $5)`,
      [callerKey(call), requestId, requestHash, at, resultOf(call, result)],
      `${this.table}.claim`,
    );
  }

  /** Notes what the id that `begin` took has led to; it travels with the commit. */
  finish(tx: Tx, { requestId, ...call }: Call, result: CommandResult): void {
    if (requestId === '') return;
    tx.send(
      `update ${this.table} set result = $3 where caller = $1 and key = $2`,
      [callerKey(call), requestId, resultOf(call, result)],
      `${this.table}.finish`,
    );
  }

  /** Forgets what is older than `COMMAND_KEPT_HOURS` at `now`. Answers how many. */
  async forget(now: Date): Promise<number> {
    const before = new Date(now.getTime() - COMMAND_KEPT_HOURS * 60 * 60 * 1000);
    const { rowCount } = await this.database.query(`delete from ${this.table} where at < $1`, [before]);
    return rowCount ?? 0;
  }
}

function checkHash(requestHash: string): void {
  if (requestHash === '') throw new Error('a call with a request id needs the hash of its request');
}

function resultOf({ callId }: Pick<Call, 'callId'>, result: CommandResult): string {
  return JSON.stringify({ ...result, callId });
}

function callerKey({ caller }: Pick<Call, 'caller'>): string {
  return `${caller.kind}/${caller.id}`;
}
