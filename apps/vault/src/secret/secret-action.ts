import { type ActionMessage, actionToMessage } from '@writ/authority';

/** Reading one version of a secret, as the policy-engine decides it. A person who approves it sees the name. */
export function readAction(
  secret: { secretId: string; displayName: string },
  version: number,
): ActionMessage {
  return actionToMessage({
    type: 'vault_secret',
    name: 'read',
    location: 'vault',
    identifier: secret.secretId,
    attributes: { secret_name: secret.displayName, version },
  });
}
