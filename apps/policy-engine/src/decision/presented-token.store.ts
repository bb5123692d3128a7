import { Injectable } from '@nestjs/common';
import { type AccessTokenClaims, parseClaims } from '@writ/authority';
import { type Call, Refusal, refusals } from '@writ/kernel';
import { Clock, SigningKeys, type TokenClaims, TokenVerifier } from '@writ/service';

const refuse = refusals({ TOKEN_BINDING_MISMATCH: 'unauthenticated' });

/** A key that is not known makes the keys be read again, not more often than this. */
const keysAgeMsMin = 250;

/** Reads the token of a question: who acts, under what, in which session, and that whoever shows it may show it. */
@Injectable()
export class PresentedTokens {
  /** The verifier answers the same object for the same token, so each is read once. */
  readonly #read = new WeakMap<TokenClaims, AccessTokenClaims>();
  #keysReadMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly verifier: TokenVerifier,
    private readonly keys: SigningKeys,
    private readonly clock: Clock,
  ) {}

  /**
   * An agent shows a token that is bound to its own certificate; an enforcement point or a service says which certificate
   * the agent showed to it.
   * @throws Refusal of kind `unauthenticated`: TOKEN_… of the verifier, TOKEN_CLAIMS_INVALID
   */
  async read(token: string, presentedCertificateSha256: string, call: Call): Promise<AccessTokenClaims> {
    const { caller } = call;
    const certificateSha256 = caller.kind === 'agent' ? caller.certificateSha256 : presentedCertificateSha256;
    if (
      caller.kind === 'agent' &&
      presentedCertificateSha256 !== '' &&
      presentedCertificateSha256 !== certificateSha256
    )
      throw refuse('TOKEN_BINDING_MISMATCH', 'an agent presents its own certificate; leave the field empty');
    const verified = await this.#verify(token, { certificateSha256, at: call.at });
    const claims = this.#read.get(verified) ?? parseClaims(verified.all);
    this.#read.set(verified, claims);
    if (caller.kind === 'agent' && caller.id !== claims.client_id)
      throw refuse('TOKEN_BINDING_MISMATCH', `the token is of \`${claims.client_id}\`, not of its bearer`);
    return claims;
  }

  async #verify(token: string, by: { certificateSha256: string; at: Date }): Promise<TokenClaims> {
    try {
      return this.verifier.verify(token, by);
    } catch (cause) {
      const nowMs = this.clock.monotonicMs();
      const isUnknownKey = cause instanceof Refusal && cause.code === 'TOKEN_KEY_UNKNOWN';
      if (!isUnknownKey || nowMs - this.#keysReadMs < keysAgeMsMin) throw cause;
      // Another replica may have consumed the fact that tells of the key.
      this.#keysReadMs = nowMs;
      await this.keys.refresh();
      return this.verifier.verify(token, by);
    }
  }
}
