import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Secret } from '@writ/service';
import type { DatabaseCredentials, NewLogin } from './lease.provider.js';

/** One open connection of a login. */
export interface LoggedIn {
  /** Reads an invoice. */
  read(): Promise<unknown>;
  write(): Promise<unknown>;
  /** Makes something that the login then owns. */
  make(): Promise<unknown>;
  close(): Promise<void>;
}

export interface CredentialsUnderTest {
  readonly credentials: DatabaseCredentials;
  readonly adminUrl: Secret<string>;
  /** A URL of the same database with a wrong password, and one at which nobody listens. */
  readonly wrongUrl: Secret<string>;
  readonly deadUrl: Secret<string>;
  /** A role that may read invoices and make things, and one that would let a login make itself more. */
  readonly readerRole: string;
  readonly powerfulRole: string;
  logIn(username: string, password: string): Promise<LoggedIn>;
  /** Everything the database has written down of what it was told: statements, its log. */
  whatTheDatabaseSaw(): Promise<string>;
  /** Who owns what `make` made; undefined when it is gone. */
  ownerOfMade(): Promise<string | undefined>;
}

const soon = () => new Date(Date.UTC(2100, 0, 1));
const password = new Secret('correct-horse-battery-staple-0123456789');
let count = 0;

/** What every maker of database logins promises. */
export function databaseCredentialsContract(name: string, make: () => Promise<CredentialsUnderTest>): void {
  describe(`logins on ${name}`, () => {
    let under: CredentialsUnderTest;
    let login: NewLogin;
    const open: LoggedIn[] = [];
    beforeEach(async () => {
      under = await make();
      count += 1;
      login = { username: `writ_lse_${count}`, password, memberOf: [under.readerRole], expireTime: soon() };
    });
    afterEach(async () => {
      await Promise.all(open.splice(0).map((connection) => connection.close()));
    });
    const create = (wish: Partial<NewLogin> = {}) =>
      under.credentials.create(under.adminUrl, { ...login, ...wish });
    const revoke = () => under.credentials.revoke(under.adminUrl, login.username);
    const exists = () => under.credentials.exists(under.adminUrl, login.username);
    const logIn = async () => {
      const connection = await under.logIn(login.username, password.reveal());
      open.push(connection);
      return connection;
    };

    it('work as soon as they are made, and can do what their role can and no more', async () => {
      expect(await exists()).toBe(false);
      await create();
      expect(await exists()).toBe(true);
      const connection = await logIn();
      await connection.read();
      await expect(connection.write()).rejects.toThrow('permission denied');
    });

    it('do not open with another password', async () => {
      await create();
      await expect(under.logIn(login.username, `${password.reveal()}x`)).rejects.toThrow(
        'authentication failed',
      );
    });

    it('never tell the database their password', async () => {
      await create();
      await under.credentials.extend(under.adminUrl, login.username, soon());
      await logIn();
      const saw = await under.whatTheDatabaseSaw();
      expect(saw).toContain(login.username);
      expect(saw).not.toContain(password.reveal());
    });

    it('do not open once they have expired, and open again when extended', async () => {
      await create({ expireTime: new Date(Date.UTC(2020, 0, 1)) });
      await expect(logIn()).rejects.toThrow('authentication failed');
      await under.credentials.extend(under.adminUrl, login.username, soon());
      await (await logIn()).read();
    });

    it('are gone when revoked, and their connections with them', async () => {
      await create();
      const connections = [await logIn(), await logIn()];
      await revoke();
      expect(await exists()).toBe(false);
      await expect(logIn()).rejects.toThrow('authentication failed');
      for (const connection of connections) await expect(connection.read()).rejects.toThrow();
    });

    it('may be revoked twice, at the same time, and without ever having been made', async () => {
      await revoke();
      // Several times and with new connections: what two revokes do to each other depends on what each has looked up.
      for (let round = 0; round < 8; round += 1) {
        under = await make();
        await create();
        await Promise.all([revoke(), revoke(), revoke()]);
      }
      await revoke();
      expect(await exists()).toBe(false);
    });

    it('leave what they made to a role they belonged to', async () => {
      await create();
      await (await logIn()).make();
      await revoke();
      expect(await exists()).toBe(false);
      expect(await under.ownerOfMade()).toBe(under.readerRole);
    });

    it('cannot be made twice', async () => {
      await create();
      await expect(create()).rejects.toMatchObject({ code: 'DATABASE_REFUSED' });
    });

    it('are not made with a role that could make itself more', async () => {
      await expect(create({ memberOf: [under.readerRole, under.powerfulRole] })).rejects.toMatchObject({
        code: 'DATABASE_ROLE_TOO_POWERFUL',
      });
      expect(await exists()).toBe(false);
    });

    it('are not made with a role that does not exist', async () => {
      await expect(create({ memberOf: ['nobody'] })).rejects.toMatchObject({ code: 'DATABASE_REFUSED' });
    });

    it.each([`Robert'); drop table invoice; --`, 'say "hello"', `semi;colon`, `back\\slash'`])(
      'may have any name, such as %s',
      async (username) => {
        login = { ...login, username };
        await create();
        await (await logIn()).read();
        await revoke();
        expect(await exists()).toBe(false);
      },
    );

    it('know from a URL which database it leads to, whoever it logs in as', () => {
      const { credentials, adminUrl, wrongUrl, deadUrl } = under;
      expect(credentials.databaseOf(adminUrl)).toBeDefined();
      expect(credentials.databaseOf(wrongUrl)).toBe(credentials.databaseOf(adminUrl));
      expect(credentials.databaseOf(deadUrl)).not.toBe(credentials.databaseOf(adminUrl));
      expect(credentials.databaseOf(new Secret('hunter2'))).toBeUndefined();
    });

    it('say when the database is not there or does not know the administrator', async () => {
      const { credentials, deadUrl, wrongUrl } = under;
      const { username } = login;
      await expect(credentials.create(deadUrl, login)).rejects.toMatchObject({
        code: 'DATABASE_UNAVAILABLE',
      });
      await expect(credentials.revoke(deadUrl, username)).rejects.toMatchObject({
        code: 'DATABASE_UNAVAILABLE',
      });
      await expect(credentials.revoke(wrongUrl, username)).rejects.toMatchObject({
        code: 'DATABASE_REFUSED',
      });
    });

    it('never repeat the administrator’s URL in what they say', async () => {
      const { credentials, deadUrl, wrongUrl } = under;
      for (const url of [
        deadUrl,
        wrongUrl,
        new Secret('postgres://admin:hunter2hunter2@%zz/'),
        new Secret('hunter2'),
      ]) {
        const said = await credentials.revoke(url, login.username).catch((cause: Error) => cause);
        expect(said).toBeInstanceOf(Error);
        const text = `${said} ${JSON.stringify(said)} ${(said as Error).stack} ${String((said as Error).cause)}`;
        expect(text).not.toMatch(/hunter2|postgres:\/\/\w/);
      }
    });
  });
}
