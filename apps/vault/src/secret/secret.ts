import type {
  SecretCreated,
  SecretVersionAdded,
  SecretVersionDestroyed,
} from '@writ/contracts/writ/vault/v1/secret_facts.js';
import { type Decider, refusals, unreachable } from '@writ/kernel';

export type SecretEvent =
  | { type: 'SecretCreated'; data: SecretCreated }
  | { type: 'SecretVersionAdded'; data: SecretVersionAdded }
  | { type: 'SecretVersionDestroyed'; data: SecretVersionDestroyed };

export type SecretCommand =
  | { type: 'CreateSecret'; secretId: string; displayName: string; owner: string; kekId: string }
  /** `version` is the number the value was sealed under; it must be the next one. */
  | { type: 'AddSecretVersion'; secretId: string; version: number; kekId: string }
  | { type: 'DestroySecretVersion'; secretId: string; version: number };

export interface Secret {
  readonly status: 'unknown' | 'known';
  /** Version n is at place n - 1. */
  readonly versions: readonly ('kept' | 'destroyed')[];
}

export const refuse = refusals({
  SECRET_UNKNOWN: 'not-found',
  SECRET_ALREADY_CREATED: 'conflict',
  SECRET_VERSION_UNKNOWN: 'not-found',
  SECRET_VERSION_DESTROYED: 'precondition',
  SECRET_VERSION_TAKEN: 'stale',
  SECRET_VERSIONS_TOO_MANY: 'precondition',
});

/** More versions than anybody rotates through; keeps the stream of a secret short. */
export const VERSIONS_MAX = 400;

function decide(command: SecretCommand, secret: Secret): readonly SecretEvent[] {
  const { secretId } = command;
  if (command.type === 'CreateSecret') {
    if (secret.status !== 'unknown')
      throw refuse('SECRET_ALREADY_CREATED', `secret \`${secretId}\` exists; add a version to it`);
    const { displayName, owner, kekId } = command;
    return [
      { type: 'SecretCreated', data: { secretId, displayName, owner } },
      { type: 'SecretVersionAdded', data: { secretId, version: 1, kekId } },
    ];
  }
  if (secret.status === 'unknown')
    throw refuse('SECRET_UNKNOWN', `no secret \`${secretId}\`; create it first`);
  const { version } = command;
  switch (command.type) {
    case 'AddSecretVersion':
      if (secret.versions.length >= VERSIONS_MAX)
        throw refuse(
          'SECRET_VERSIONS_TOO_MANY',
          `secret \`${secretId}\` has ${VERSIONS_MAX} versions; create a new secret`,
        );
      if (version !== secret.versions.length + 1)
        throw refuse(
          'SECRET_VERSION_TAKEN',
          `secret \`${secretId}\` got version \`${version}\` just now; ask again`,
        );
      return [{ type: 'SecretVersionAdded', data: { secretId, version, kekId: command.kekId } }];
    case 'DestroySecretVersion': {
      const kept = secret.versions[version - 1];
      if (kept === undefined)
        throw refuse(
          'SECRET_VERSION_UNKNOWN',
          `secret \`${secretId}\` has versions 1 to ${secret.versions.length}, not \`${version}\``,
        );
      return kept === 'destroyed' ? [] : [{ type: 'SecretVersionDestroyed', data: { secretId, version } }];
    }
    default:
      return unreachable(command);
  }
}

function evolve(secret: Secret, event: SecretEvent): Secret {
  switch (event.type) {
    case 'SecretCreated':
      return { ...secret, status: 'known' };
    case 'SecretVersionAdded':
      return { ...secret, versions: [...secret.versions, 'kept'] };
    case 'SecretVersionDestroyed':
      return { ...secret, versions: secret.versions.with(event.data.version - 1, 'destroyed') };
    default:
      return unreachable(event);
  }
}

export const secretDecider: Decider<Secret, SecretCommand, SecretEvent> = {
  initialState: () => ({ status: 'unknown', versions: [] }),
  decide,
  evolve,
};

/** What a reader gets: the version asked for, or for 0 the newest that is kept. */
export function versionToRead(
  secretId: string,
  asked: number,
  versions: readonly { readonly version: number; readonly destroyed: boolean }[],
): number {
  const kept = versions.filter(({ destroyed }) => !destroyed);
  const newest = kept.at(-1);
  if (asked === 0) {
    if (newest === undefined)
      throw refuse(
        'SECRET_VERSION_DESTROYED',
        `every version of secret \`${secretId}\` is destroyed; add one`,
      );
    return newest.version;
  }
  if (!versions.some(({ version }) => version === asked))
    throw refuse(
      'SECRET_VERSION_UNKNOWN',
      `secret \`${secretId}\` has versions 1 to ${versions.length}, not \`${asked}\``,
    );
  if (!kept.some(({ version }) => version === asked))
    throw refuse(
      'SECRET_VERSION_DESTROYED',
      `version \`${asked}\` of secret \`${secretId}\` is destroyed for good`,
    );
  return asked;
}
