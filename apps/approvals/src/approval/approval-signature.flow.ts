import { Injectable } from '@nestjs/common';
import type { ApprovalRequested } from '@writ/contracts/writ/approval/v1/approval_facts.js';
import { refusals } from '@writ/kernel';
import { keyOf } from '@writ/service';
import { compactVerify, decodeProtectedHeader } from 'jose';
import { ApproverReactions } from '../approver/approver.reactions.js';
import { statementOf } from './approval.js';

export const refuseSignature = refusals({
  SIGNATURE_INVALID: 'forbidden',
  SIGNING_KEY_UNKNOWN: 'forbidden',
});

/** Checks that a vote was signed by its caster, with a registered key, over exactly the statement of this approval. */
@Injectable()
export class ApprovalSignature {
  constructor(private readonly approvers: ApproverReactions) {}

  /**
   * @param signature compact JWS (RFC 7515) with `alg` ES256 and a `kid`
   * @returns the id of the key
   * @throws Refusal SIGNATURE_INVALID, SIGNING_KEY_UNKNOWN
   */
  async verify(
    request: ApprovalRequested,
    personId: string,
    approve: boolean,
    signature: string,
  ): Promise<string> {
    const keyId = keyIdOf(signature);
    const jwk = await this.approvers.jwkOf(personId, keyId);
    const key = jwk === undefined ? undefined : keyOf(jwk);
    if (key === undefined) {
      throw refuseSignature(
        'SIGNING_KEY_UNKNOWN',
        `\`${personId}\` has no registered key with this \`kid\`; register it first`,
      );
    }
    const signed = await compactVerify(signature, key, { algorithms: ['ES256'] }).catch(() => undefined);
    const statement = signed && new TextDecoder().decode(signed.payload);
    if (statement !== statementOf(request, approve)) {
      throw refuseSignature(
        'SIGNATURE_INVALID',
        'the signature is not over the statement of this approval and this vote',
      );
    }
    return keyId;
  }
}

function keyIdOf(signature: string): string {
  try {
    const { kid } = decodeProtectedHeader(signature);
    if (typeof kid === 'string') return kid;
  } catch {
    // Falls through to the same refusal: what is no JWS names no key.
  }
  throw refuseSignature(
    'SIGNATURE_INVALID',
    'the signature must be a compact JWS with a `kid` in its protected header',
  );
}
