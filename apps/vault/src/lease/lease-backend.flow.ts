import { Injectable } from '@nestjs/common';
import { Secret } from '@writ/service';
import type { DatabaseRoleRow } from '../database-role/database-role.view.js';
import { DatabaseRoleView } from '../database-role/database-role.view.js';
import { refuse as refuseSecret, versionToRead } from '../secret/secret.js';
import { SecretView } from '../secret/secret.view.js';
import { SecretValues } from '../secret/secret-value.store.js';
import { DatabaseCredentials } from './lease.provider.js';

/** A login on the database of a role. */
export interface Login {
  readonly databaseRoleId: string;
  readonly username: string;
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

  /** @throws Refusal of the secret or its value: better before a lease is recorded than after */
  async adminUrl({ secretId }: DatabaseRoleRow): Promise<Secret<string>> {
    const secret = await this.secrets.find(secretId);
    if (secret === undefined) throw refuseSecret('SECRET_UNKNOWN', `no secret \`${secretId}\``);
    const version = versionToRead(secretId, 0, secret.versions);
    const value = await this.values.open({ secretId, version });
    return new Secret(Buffer.from(value.reveal()).toString('utf8'));
  }

  create(
    adminUrl: Secret<string>,
    { memberOf }: DatabaseRoleRow,
    login: { username: string; password: Secret<string>; expireTime: Date },
  ): Promise<void> {
    return this.credentials.create(adminUrl, { ...login, memberOf });
  }

  async extend({ databaseRoleId, username }: Login, expireTime: Date): Promise<void> {
    const adminUrl = await this.adminUrl(await this.roles.get(databaseRoleId));
    await this.credentials.extend(adminUrl, username, expireTime);
  }

  /** Safe to call again, also for a login that never was. */
  async revoke({ databaseRoleId, username }: Login): Promise<void> {
    const adminUrl = await this.adminUrl(await this.roles.get(databaseRoleId));
    await this.credentials.revoke(adminUrl, username);
  }
}
