import { Injectable, type OnModuleInit } from '@nestjs/common';
import { Database, type Tx } from '@writ/event-store';
import { type Call, refusals } from '@writ/kernel';
import { keyOf } from '@writ/service';
import { errors, jwtVerify } from 'jose';
import { BrokerSettings } from '../broker-settings.js';
import { PartyDirectory } from '../party/party.reactions.js';

export const refuseAssertion = refusals({
  ASSERTION_INVALID: 'unauthenticated',
  ASSERTION_EXPIRED: 'unauthenticated',
  ASSERTION_REPLAYED: 'unauthenticated',
  ASSERTION_AGENT_UNKNOWN: 'unauthenticated',
});

const LIFE_SECONDS_MAX = 60;
/** Clocks of agent and broker may differ by this much. */
const SKEW_SECONDS = 30;
const ASSERTION_LENGTH_MAX = 4_096;
const table = 'session_broker_view.assertion';

export interface VerifiedAssertion {
  readonly agentId: string;
  readonly jti: string;
  readonly expireTime: Date;
}

/** Verifies what agents sign to prove themselves (RFC 7523 section 3), and remembers each so that it works once. */
@Injectable()
export class Assertions implements OnModuleInit {
  constructor(
    private readonly database: Database,
    private readonly settings: BrokerSettings,
    private readonly parties: PartyDirectory,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.database.query(
      `create table if not exists ${table} (agent_id text, jti text, expire_time timestamptz not null, primary key (agent_id, jti));
       create index if not exists assertion_expiry on ${table} (expire_time)`,
    );
  }

  /**
   * The caller's certificate says which agent it is; the assertion must be that agent's, signed with its registered key.
   * @throws Refusal ASSERTION_INVALID, ASSERTION_EXPIRED, ASSERTION_AGENT_UNKNOWN
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
      audience: this.settings.tokenIssuer,
      requiredClaims: ['iss', 'sub', 'aud', 'exp', 'iat', 'jti'],
      clockTolerance: SKEW_SECONDS,
      currentDate: call.at,
    }).catch((cause: unknown) => {
      if (cause instanceof errors.JWTExpired)
        throw refuseAssertion('ASSERTION_EXPIRED', 'the assertion has expired; sign a new one');
      if (cause instanceof errors.JOSEError)
        throw invalid('is not a JWT (ES256) of this agent for this broker');
      throw cause;
    });
    const { exp = 0, iat = 0, jti = '' } = payload;
    const nowSeconds = call.at.getTime() / 1000;
    if (exp - iat > LIFE_SECONDS_MAX || exp > nowSeconds + LIFE_SECONDS_MAX + SKEW_SECONDS)
      throw invalid(`may live ${LIFE_SECONDS_MAX} s at most`);
    if (iat > nowSeconds + SKEW_SECONDS) throw invalid('is issued in the future');
    if (typeof jti !== 'string' || jti.length < 8 || jti.length > 128)
      throw invalid('needs a `jti` of 8 to 128 characters');
    return { agentId, jti, expireTime: new Date((exp + SKEW_SECONDS) * 1000) };
  }

  /** @throws Refusal ASSERTION_REPLAYED */
  async useUp({ agentId, jti, expireTime }: VerifiedAssertion, tx: Tx): Promise<void> {
    const { rowCount } = await tx.query(
      `insert into ${table} (agent_id, jti, expire_time) values ($1, $2, $3) on conflict do nothing`,
      [agentId, jti, expireTime],
    );
    if (rowCount !== 1)
      throw refuseAssertion('ASSERTION_REPLAYED', 'this assertion was used before; sign a new one');
  }

  async forget(at: Date): Promise<void> {
    await this.database.query(`delete from ${table} where expire_time < $1`, [at]);
  }
}

function invalid(why: string) {
  return refuseAssertion('ASSERTION_INVALID', `the assertion ${why}`);
}
