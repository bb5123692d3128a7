import { Injectable } from '@nestjs/common';
import {
  type AddSecretVersionRequest,
  type CreateSecretRequest,
  type DestroySecretVersionRequest,
  type GetSecretRequest,
  type ListSecretsRequest,
  type ListSecretsResponse,
  type ReadSecretRequest,
  type ReadSecretResponse,
  type Secret as SecretMessage,
  SecretServiceService,
} from '@writ/contracts/writ/vault/v1/secret.js';
import type { Call } from '@writ/kernel';
import {
  type Access,
  type Calls,
  check,
  id,
  integer,
  matching,
  optional,
  Pages,
  type Problem,
  required,
  Secret,
  text,
} from '@writ/service';
import { positions, presentedToken } from '../session/presented-fields.message.js';
import { SecretFlow } from './secret.flow.js';
import { type SecretRow, SecretView } from './secret.view.js';
import { VALUE_BYTES_MAX } from './secret-value.cipher.js';

const keepers = ['role:admin', 'role:operator', 'role:security'] as const;
const readers = [...keepers, 'role:auditor'] as const;

/** No person reads a value: whoever needs one works through an agent, whose reading is decided and recorded. */
export const secretAccess = {
  createSecret: keepers,
  addSecretVersion: keepers,
  destroySecretVersion: keepers,
  getSecret: readers,
  listSecrets: readers,
  readSecret: ['agent'],
} as const satisfies Access<typeof SecretServiceService>;

const etagPattern = /^\d{1,9}$/;

@Injectable()
export class SecretRpc implements Calls<typeof SecretServiceService> {
  static readonly service = SecretServiceService;
  static readonly access = secretAccess;

  constructor(
    private readonly flow: SecretFlow,
    private readonly secrets: SecretView,
    private readonly pages: Pages,
  ) {}

  async createSecret({ displayName, owner, value }: CreateSecretRequest, call: Call): Promise<SecretMessage> {
    check({
      displayName: text(displayName, { max: 200 }),
      owner: text(owner, { max: 200 }),
      value: valueProblem(value),
    });
    return secretMessage(
      await this.flow.create({ displayName, owner, value: new Secret<Uint8Array>(value) }, call),
    );
  }

  async addSecretVersion(
    { secretId, value, etag }: AddSecretVersionRequest,
    call: Call,
  ): Promise<SecretMessage> {
    check({ secretId: id('sec', secretId), value: valueProblem(value), etag: etagProblem(etag) });
    return secretMessage(
      await this.flow.addVersion({ secretId, value: new Secret<Uint8Array>(value), etag }, call),
    );
  }

  async destroySecretVersion(
    { secretId, version, etag }: DestroySecretVersionRequest,
    call: Call,
  ): Promise<SecretMessage> {
    check({
      secretId: id('sec', secretId),
      version: integer(version, { max: 1_000_000 }),
      etag: etagProblem(etag),
    });
    return secretMessage(await this.flow.destroyVersion({ secretId, version, etag }, call));
  }

  async getSecret({ secretId }: GetSecretRequest): Promise<SecretMessage> {
    check({ secretId: id('sec', secretId) });
    return secretMessage(await this.flow.get(secretId));
  }

  async listSecrets(request: ListSecretsRequest, call: Call): Promise<ListSecretsResponse> {
    const page = this.pages.open(request, { list: 'secrets', caller: call.actor });
    const secrets = await this.secrets.list(page.after, page.size + 1);
    const { rows, nextPageToken } = page.cut(secrets, (secret) => secret.secretId);
    return { secrets: rows.map(secretMessage), nextPageToken };
  }

  async readSecret(request: ReadSecretRequest, call: Call): Promise<ReadSecretResponse> {
    const { token, secretId, version, approvalId, atLeast } = request;
    check({
      token: presentedToken(token),
      secretId: id('sec', secretId),
      version: integer(version, { min: 0, max: 1_000_000 }),
      approvalId: optional(approvalId, id('apr', approvalId)),
      atLeast: positions(atLeast),
    });
    // An agent's certificate is that of its connection.
    const wish = { token, secretId, version, approvalId, atLeast, certificateSha256: '' };
    const { value, ...read } = await this.flow.read(wish, call);
    return { ...read, value: Buffer.from(value.reveal()) };
  }
}

function valueProblem(value: Buffer): Problem {
  if (value.length === 0) return required(undefined);
  return value.length > VALUE_BYTES_MAX ? `must have at most ${VALUE_BYTES_MAX} bytes` : undefined;
}

function etagProblem(etag: string): Problem {
  return optional(etag, matching(etag, etagPattern, 'the `etag` of an answer'));
}

function secretMessage({
  secretId,
  displayName,
  owner,
  createTime,
  versions,
  etag,
}: SecretRow): SecretMessage {
  return {
    name: `secrets/${secretId}`,
    secretId,
    displayName,
    owner,
    versions: versions.map(({ version, kekId, addTimeMs, destroyed }) => ({
      version,
      kekId,
      addTime: new Date(addTimeMs),
      destroyed,
    })),
    createTime,
    etag,
  };
}
