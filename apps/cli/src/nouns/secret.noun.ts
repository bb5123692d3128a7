import {
  AddSecretVersionRequest,
  CreateSecretRequest,
  DestroySecretVersionRequest,
  GetSecretRequest,
  ListSecretsRequest,
  ListSecretsResponse,
  ReadSecretRequest,
  ReadSecretResponse,
  Secret,
  SecretServiceService,
} from '@writ/contracts/writ/vault/v1/secret.js';
import { listAt, textAt } from '../json.js';
import { approval, atLeast, etag, flag, idArgument } from '../rows.js';
import { unary } from '../rpc.js';
import { takeSecret } from '../secret-out.js';
import { column, listOf, shape, wide } from '../shape.js';
import { tokenExtras, tokenFills, withToken } from '../token.js';
import type { Noun } from '../verb.js';
import { extra } from '../work.js';

const { createSecret, addSecretVersion, destroySecretVersion } = SecretServiceService;
const { getSecret, listSecrets, readSecret } = SecretServiceService;

const secret = shape([
  column('id', 'secretId'),
  column('name', 'displayName'),
  column('owner', 'owner'),
  column('versions', (row) => String(listAt(row, 'versions').length)),
  wide('destroyed', (row) =>
    listAt(row, 'versions')
      .filter((version) => JSON.stringify(version).includes('"destroyed":true'))
      .map((version) => textAt(version, 'version'))
      .join(', '),
  ),
  wide('created', 'createTime'),
  wide('etag', 'etag'),
]);
const answered = shape(
  [column('version', 'version'), column('decision', 'decisionId')],
  (row) => `decisions/${textAt(row, 'decisionId')}`,
);
const id = idArgument('secret');
const value = flag('value-file', 'the value, at most 64 KiB; `-` is standard input', {
  field: 'value',
  fromFile: true,
  required: true,
});

export const secretNoun: Noun = {
  name: 'secret',
  doc: 'versioned values under envelope encryption; a value is never on a command line',
  verbs: [
    {
      name: 'create',
      doc: 'keep a secret',
      rpc: unary('vault', createSecret, CreateSecretRequest, Secret),
      shape: secret,
      options: [
        flag('name', 'what people call it', { field: 'display_name', required: true }),
        flag('owner', 'the team it belongs to'),
        value,
      ],
    },
    {
      name: 'add-version',
      doc: 'give a secret a new value',
      args: [id],
      options: [value, etag],
      rpc: unary('vault', addSecretVersion, AddSecretVersionRequest, Secret),
      shape: secret,
    },
    {
      name: 'destroy-version',
      doc: 'destroy a value for good',
      args: [id, { name: 'VERSION', field: 'version', doc: 'which version' }],
      options: [etag],
      rpc: unary('vault', destroySecretVersion, DestroySecretVersionRequest, Secret),
      shape: secret,
      confirm: { kind: 'yes', question: 'this value cannot be had back. go on?' },
    },
    {
      name: 'get',
      doc: 'show a secret, without its value',
      args: [id],
      rpc: unary('vault', getSecret, GetSecretRequest, Secret),
      shape: secret,
    },
    {
      name: 'list',
      doc: 'list secrets',
      rpc: unary('vault', listSecrets, ListSecretsRequest, ListSecretsResponse),
      shape: listOf('secrets', secret),
      pages: 'secrets',
    },
    {
      name: 'read',
      doc: 'take the value, as an agent whose authority covers it; decided like every other action',
      args: [id],
      options: [flag('version', 'which version; else the newest'), approval, atLeast],
      rpc: unary('vault', readSecret, ReadSecretRequest, ReadSecretResponse),
      shape: answered,
      extras: [
        {
          flag: 'to',
          value: 'FILE',
          doc: 'where the value goes, for you alone to read; `-` prints it (needed)',
        },
        ...tokenExtras,
      ],
      fills: tokenFills,
      hides: { value: '' },
      before: async (work) => {
        const take = takeSecret(work, 'to', 'value', 'base64');
        await withToken(work);
        return take;
      },
      prints: (work) => extra(work, 'to') !== '-',
    },
  ],
};
