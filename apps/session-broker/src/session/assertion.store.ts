import { Injectable } from '@nestjs/common';
import { Database, type Migration, type Tx } from '@writ/event-store';
import { type Call, refusals } from '@writ/kernel';
import { keyOf } from '@writ/service';
import { errors, jwtVerify } from 'jose';
import { BrokerSettings } from '../broker-settings.js';
import { PartyDirectory } from '../party/party.store.js';

export const refuseAssertion = refusals({
  ASSERTION_INVALID: 'unauthenticated',
  ASSERTION_EXPIRED: 'unauthenticated',
  ASSERTION_WRONG_AUDIENCE: 'unauthenticated',
  ASSERTION_REPLAYED: 'unauthenticated',
  ASSERTION_AGENT_UNKNOWN: 'unauthenticated',
});

const LIFE_SECONDS_MAX = 60;
/** The agent's clock may be this much ahead when it says when it signed. Expiry has no such grace. */
const SKEW_SECONDS = 10;
/** Replicas' clocks may differ by this much: what one has forgotten, none may accept. */
const KEPT_LONGER_MS = 60_000;
const ASSERTION_LENGTH_MAX = 4_096;
const jtiForm = /^[\x21-\x7e]{8,128}$/;
const table = 'session_broker.assertion';

/** What was used up must stay so, whatever is rebuilt. */
export const assertionMigrations: readonly Migration[] = [
  {
    area: 'assertion',
    number: 1,
    sql: (_, role) => `
      create table ${table} (
        agent_id text, jti text, expire_time timestamptz not null, primary key (agent_id, jti));
      create index assertion_expiry on ${table} (expire_time);
      grant select, insert, delete on ${table} to ${role}`,
  },
];

export interface VerifiedAssertion {
  readonly agentId: string;
  readonly jti: string;
  readonly expireTime: Date;
}

/** Verifies what agents sign to prove themselves (RFC 7523 section 3), and remembers each so that it works once. */
@Injectable()
export class Assertions {
  constructor(
    private readonly database: Database,
    private readonly settings: BrokerSettings,
    private readonly parties: PartyDirectory,
  ) {}

  /**
   * The caller's certificate says which agent it is; the assertion must be that agent's, signed with its registered key.
   * @throws Refusal ASSERTION_INVALID, ASSERTION_EXPIRED, ASSERTION_WRONG_AUDIENCE, ASSERTION_AGENT_UNKNOWN
   */
  async verify(assertion: string, call: Call): Promise<VerifiedAssertion> {
    const agentId = call.caller.id;
    const key = keyOf((await this.parties.agentSoon(agentId))?.jwk ?? '');
    if (key === undefined)
      throw refuseAssertion('ASSERTION_AGENT_UNKNOWN', `no agent \`${agentId}\` is known here`);
    if (assertion.length > ASSERTION_LENGTH_MAX) throw invalid('is too long');
    const { payload } = await jwtVerify(assertion, key, {
      algorithms: ['ES256'],
      issuer: agentId,
      subject: agentId,
      requiredClaims: ['iss', 'sub', 'aud', 'exp', 'iat', 'jti'],
      currentDate: call.at,
    }).catch((cause: unknown) => {
      if (cause instanceof errors.JWTExpired)
        throw refuseAssertion('ASSERTION_EXPIRED', 'the assertion has expired; sign a new one');
      if (cause instanceof errors.JOSEError) throw invalid('is not a JWT (ES256) of this agent');
      throw cause;
    });
    const { aud, exp = 0, iat = 0, jti = '' } = payload;
    // Signed for more than one audience, it could be carried from one to the other.
    const [audience, ...others] = [aud ?? []].flat();
    if (audience !== this.settings.tokenIssuer || others.length > 0)
      throw refuseAssertion(
        'ASSERTION_WRONG_AUDIENCE',
        `the assertion must be for \`${this.settings.tokenIssuer}\` and nobody else`,
      );
    const nowSeconds = call.at.getTime() / 1000;
    if (exp > nowSeconds + LIFE_SECONDS_MAX)
      throw invalid(`must expire within ${LIFE_SECONDS_MAX} s from now`);
    if (iat > nowSeconds + SKEW_SECONDS) throw invalid('is issued in the future');
    if (typeof jti !== 'string' || !jtiForm.test(jti))
      throw invalid('needs a `jti` of 8 to 128 visible ASCII characters');
    return { agentId, jti, expireTime: new Date(exp * 1000) };
  }

  /** @throws Refusal ASSERTION_REPLAYED */
  async useUp({ agentId, jti, expireTime }: VerifiedAssertion, tx: Tx): Promise<void> {
    const { rowCount } = await tx.query(
      `insert into ${table} (agent_id, jti, expire_time) values ($1, $2, $3) on conflict do nothing`,
      [agentId, jti, expireTime],
      'assertion.use-up',
    );
    if (rowCount !== 1)
      throw refuseAssertion('ASSERTION_REPLAYED', 'this assertion was used before; sign a new one');
  }

  /** Forgets assertions that nobody would accept any more at `at`. */
  async forget(at: Date): Promise<void> {
    await this.database.query(`delete from ${table} where expire_time < $1`, [
      new Date(at.getTime() - KEPT_LONGER_MS),
    ]);
  }
}

function invalid(why: string) {
  return refuseAssertion('ASSERTION_INVALID', `the assertion ${why}`);
}
