import { Injectable } from '@nestjs/common';
import { type AccessTokenClaims, buildAct, claimsJson, parseClaims } from '@writ/authority';
import type { SessionOpened, TokenIssued } from '@writ/contracts/writ/session/v1/session_facts.js';
import type { Call } from '@writ/kernel';
import { type KeySource, TokenVerifier } from '@writ/service';
import { BrokerSettings } from '../broker-settings.js';
import { TokenSigner } from '../signing-key/signing-key.store.js';
import { StopView } from '../stop/stop.view.js';
import { agentsOf, grantOf, type Hops } from './chain.js';
import { requireTokenLife } from './session.js';

/** Makes access tokens (RFC 9068) and reads those that agents bring back. */
@Injectable()
export class SessionTokens {
  readonly #verifier: TokenVerifier;

  constructor(
    private readonly settings: BrokerSettings,
    private readonly signer: TokenSigner,
    private readonly stops: StopView,
  ) {
    const keys: KeySource = {
      find: (keyId) => (keyId === signer.registered.keyId ? signer.publicKey : undefined),
    };
    const { tokenIssuer: issuer, tokenAudience: audience } = settings;
    this.#verifier = new TokenVerifier({ issuer, audience, keys });
  }

  get keyId(): string {
    return this.signer.registered.keyId;
  }

  /**
   * The token of an issue that is on record.
   * @throws Refusal SESSION_EXPIRED when it is over before it begins
   */
  async make(opened: SessionOpened, hops: Hops, issued: TokenIssued, at: Date): Promise<string> {
    const expireTime = issued.expireTime ?? new Date(0);
    requireTokenLife(opened.sessionId, expireTime, at);
    const claims: AccessTokenClaims = {
      iss: this.settings.tokenIssuer,
      sub: opened.personId,
      aud: [this.settings.tokenAudience],
      client_id: opened.agentId,
      iat: Math.floor(at.getTime() / 1000),
      exp: Math.floor(expireTime.getTime() / 1000),
      jti: issued.tokenId,
      sid: opened.sessionId,
      mandate_id: opened.mandateId,
      delegation_ids: opened.delegationIds,
      cnf: { 'x5t#S256': issued.certificateSha256 },
      act: buildAct(this.settings.tokenIssuer, agentsOf(hops)),
      authorization_details: grantOf(hops).details,
      // Points that know less than what was stopped before this token was made must not act on it.
      min_seq: await this.stops.head(),
    };
    return this.signer.sign(claimsJson(claims));
  }

  /** @throws Refusal TOKEN_… */
  verify(token: string, call: Call): AccessTokenClaims {
    const { all } = this.#verifier.verify(token, {
      certificateSha256: call.caller.certificateSha256,
      at: call.at,
    });
    return parseClaims(all);
  }
}
