import { refusals } from '@writ/kernel';
import type { Secret } from '@writ/service';

/** What a database answers when it does not do as it is told. Messages never hold more than names and error codes. */
export const refuseDatabase = refusals({
  DATABASE_UNAVAILABLE: 'unavailable',
  DATABASE_REFUSED: 'precondition',
  DATABASE_ADMIN_INVALID: 'precondition',
  DATABASE_ROLE_TOO_POWERFUL: 'precondition',
});

/** A login that is to be made. */
export interface NewLogin {
  /** Never used before. Any text: implementations quote it. */
  readonly username: string;
  /** At least 160 bits of chance, printable ASCII. */
  readonly password: Secret<string>;
  /** Roles whose rights it gets, at least one. */
  readonly memberOf: readonly string[];
  readonly expireTime: Date;
}

/**
 * Makes and ends logins on one kind of database. `lease.provider.contract.ts` holds what every implementation promises.
 * Each call gets the administrator's connection URL, the one value of the vault that it uses itself.
 *
 * All of them throw Refusal DATABASE_UNAVAILABLE when there was no answer (the call may have had its effect),
 * DATABASE_REFUSED when the answer was no, DATABASE_ADMIN_INVALID when the URL is none.
 */
export abstract class DatabaseCredentials {
  /** After this long `create` has ended, and the database no longer works on what it was told, whatever it answered. */
  abstract readonly createMsMax: number;

  /** Which database a URL leads to, whoever it logs in as; undefined when it is no URL. Asks nobody. */
  abstract databaseOf(adminUrl: Secret<string>): string | undefined;

  /**
   * The login works when this resolves. The password travels to the database in no form from which it can be found.
   * @throws Refusal DATABASE_ROLE_TOO_POWERFUL when the login could make itself more than its roles were meant to be
   */
  abstract create(adminUrl: Secret<string>, login: NewLogin): Promise<void>;

  /** Lets the login live until `expireTime`; shorter is possible too. */
  abstract extend(adminUrl: Secret<string>, username: string, expireTime: Date): Promise<void>;

  /**
   * When this resolves, nobody can log in with it, its connections are closed and the login is gone. What it had made
   * belongs to one of the roles it was a member of. Safe to call again at any point, also for a login that never was.
   */
  abstract revoke(adminUrl: Secret<string>, username: string): Promise<void>;

  abstract exists(adminUrl: Secret<string>, username: string): Promise<boolean>;

  /** Lets go of open connections. */
  abstract close(): Promise<void>;
}
