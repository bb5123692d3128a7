import { Injectable } from '@nestjs/common';
import { Secret, sha256Base64Url } from '@writ/service';
import type { DatabaseRoleRow } from '../database-role/database-role.view.js';
import { DatabaseRoleView } from '../database-role/database-role.view.js';
import { refuse as refuseSecret, versionToRead } from '../secret/secret.js';
import { type SecretRow, SecretView } from '../secret/secret.view.js';
import { SecretValues } from '../secret/secret-value.store.js';
import { DatabaseCredentials } from './lease.provider.js';

/** A login on the database of a role, and what was recorded of where it was made. */
export interface Login {
  readonly databaseRoleId: string;
  readonly username: string;
  readonly secretVersion: number;
  /** Empty when it was not recorded. */
  readonly databaseSha256: string;
}

/** The connection URL in one version of an administrator's secret, and which database it leads to. */
export interface Administrator {
  readonly url: Secret<string>;
  readonly secretVersion: number;
  readonly databaseSha256: string;
}

/**
 * The databases on which leases are logins. The administrator's URL is opened for each use and never leaves the process, so
 * using it is no reading of the secret.
 */
@Injectable()
export class LeaseBackend {
  constructor(
    private readonly credentials: DatabaseCredentials,
    private readonly roles: DatabaseRoleView,
    private readonly secrets: SecretView,
    private readonly values: SecretValues,
  ) {}

  async onModuleDestroy(): Promise<void> {
    await this.credentials.close();
  }

  /** See the provider. */
  get createMsMax(): number {
    return this.credentials.createMsMax;
  }

  /** @throws Refusal of the secret or its value: better before a lease is recorded than after */
  async administrator({ secretId }: DatabaseRoleRow): Promise<Administrator> {
    const { versions } = await this.#secret(secretId);
    return this.#open(secretId, versionToRead(secretId, 0, versions));
  }

  create(
    adminUrl: Secret<string>,
    { memberOf }: DatabaseRoleRow,
    login: { username: string; password: Secret<string>; expireTime: Date },
  ): Promise<void> {
    return this.credentials.create(adminUrl, { ...login, memberOf });
  }

  async extend(login: Login, expireTime: Date): Promise<void> {
    await this.credentials.extend(await this.#urlFor(login), login.username, expireTime);
  }

  /** Safe to call again, also for a login that never was. */
  async revoke(login: Login): Promise<void> {
    await this.credentials.revoke(await this.#urlFor(login), login.username);
  }

  /**
   * Of the newest version that leads to where the login was made. A version that leads elsewhere finds no login there, which
   * would pass for one that is gone.
   */
  async #urlFor({ databaseRoleId, secretVersion, databaseSha256 }: Login): Promise<Secret<string>> {
    const role = await this.roles.get(databaseRoleId);
    const newest = await this.administrator(role);
    if (databaseSha256 === '' || newest.databaseSha256 === databaseSha256) return newest.url;
    const { secretId, versions } = await this.#secret(role.secretId);
    for (const { version, destroyed } of versions.toReversed()) {
      if (destroyed) continue;
      const admin = await this.#open(secretId, version);
      if (admin.databaseSha256 === databaseSha256) return admin.url;
    }
    throw refuseSecret(
      'SECRET_VERSION_DESTROYED',
      `version \`${secretVersion}\` of secret \`${secretId}\` led to the login and is destroyed; add one that leads there`,
    );
  }

  async #secret(secretId: string): Promise<SecretRow> {
    const secret = await this.secrets.find(secretId);
    if (secret === undefined) throw refuseSecret('SECRET_UNKNOWN', `no secret \`${secretId}\``);
    return secret;
  }

  async #open(secretId: string, secretVersion: number): Promise<Administrator> {
    const value = await this.values.open({ secretId, version: secretVersion });
    const url = new Secret(Buffer.from(value.reveal()).toString('utf8'));
    const database = this.credentials.databaseOf(url);
    return { url, secretVersion, databaseSha256: database === undefined ? '' : sha256Base64Url(database) };
  }
}
