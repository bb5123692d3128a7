import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Module } from '@nestjs/common';
import {
  type Approval,
  ApprovalServiceService,
  type ApprovalState,
} from '@writ/contracts/writ/approval/v1/approval.js';
import { DecisionMade, Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import { PersonKeyAdded, PersonRegistered, Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { type Codec, EventStore } from '@writ/event-store';
import {
  type ClientOf,
  type Identity,
  OwnCalls,
  type RunningService,
  refusalOf,
  registeredKey,
  type ServiceDefinition,
  sha256Base64Url,
} from '@writ/service';
import { World } from '@writ/testing/world.js';
import pg from 'pg';
import { approvalsService } from '../src/approvals.module.js';

const ARRIVAL_MS_MAX = 10_000;

@Module({})
class Empty {}

/** A neighbour as far as approvals sees it: its identity, its event store and the relay that publishes from it. */
const publisher = (name: ServiceDefinition['name']): ServiceDefinition => ({
  name,
  module: Empty,
  edges: [],
  views: [],
  reactions: [],
});

export interface Person {
  readonly id: string;
  readonly keyId: string;
  readonly signingKey: KeyObject;
  readonly approvals: ClientOf<typeof ApprovalServiceService>;
}

/** The real service among real publishers of facts. */
export class House {
  readonly #pool: pg.Pool;
  registry!: RunningService;
  policy!: RunningService;
  broker!: RunningService;
  approvals!: RunningService;
  admin!: Person;

  private constructor(readonly world: World) {
    this.#pool = new pg.Pool({ connectionString: world.ownerUrl, max: 2 });
    this.#pool.on('error', () => undefined);
  }

  static async build(): Promise<House> {
    const house = new House(await World.start());
    house.registry = await house.world.service(publisher('registry'));
    house.policy = await house.world.service(publisher('policy-engine'));
    house.broker = await house.world.service(publisher('session-broker'));
    house.approvals = await house.world.service(approvalsService);
    house.admin = await house.person([Role.ROLE_ADMIN]);
    return house;
  }

  /** Appends one fact to a neighbour's store; its relay does the rest. */
  async publish<T>(by: RunningService, type: string, codec: Codec<T>, data: T, key: string): Promise<void> {
    const call = by.app.get(OwnCalls).next('a test');
    const facts = [{ type, data: codec.encode(data).finish() }];
    const place = { streamId: `test-${key}`, kind: 'test', partKey: key, expected: 'any' } as const;
    await by.app.get(EventStore).append([{ ...place, facts, call }]);
  }

  async person(roles: Role[]): Promise<Person> {
    const id = this.newId('psn');
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const { jwk, keyId } = registeredKey(JSON.stringify(publicKey.export({ format: 'jwk' })));
    await this.publish(this.registry, 'PersonKeyAdded', PersonKeyAdded, { personId: id, keyId, jwk }, id);
    await this.publish(this.registry, 'PersonRegistered', PersonRegistered, { personId: id, roles }, id);
    await this.until('the key is known', async () => {
      const known = 'select 1 from approvals_view.approver_key where person_id = $1';
      return (await this.sql(known, [id])).length === 1;
    });
    const approvals = this.client(await this.world.identity({ kind: 'person', id }));
    return { id, keyId, signingKey: privateKey, approvals };
  }

  client(identity: Identity): ClientOf<typeof ApprovalServiceService> {
    return this.world.client(this.approvals, ApprovalServiceService, identity);
  }

  /** A decision that needs people, as the policy engine records it. */
  decision(wish: Partial<DecisionMade> & { quorum?: number; ttlSeconds?: number } = {}): DecisionMade {
    const { quorum = 1, ttlSeconds = 600, ...rest } = wish;
    return DecisionMade.fromPartial({
      decisionId: this.newId('dec'),
      outcome: Outcome.OUTCOME_APPROVAL_NEEDED,
      reasonCode: 'APPROVAL_NEEDED',
      sessionId: this.newId('ses'),
      agentId: this.newId('agt'),
      personId: this.newId('psn'),
      sponsorId: this.newId('psn'),
      mandateId: this.newId('mdt'),
      action: { type: 'payment', name: 'pay', location: 'erp', identifier: 'invoices/C' },
      actionDigest: `sha-256:${sha256Base64Url(this.newId('tok'))}`,
      policySetId: 'pol_01K41M7JG000000000000000P1',
      policySetVersion: 1,
      approvalDemand: { quorum, ttlSeconds },
      decideTime: this.world.clock.now(),
      ...rest,
    });
  }

  async decide(decision: DecisionMade): Promise<void> {
    await this.publish(this.policy, 'DecisionMade', DecisionMade, decision, decision.agentId);
  }

  /** Records a decision that needs people and waits for what they are asked. */
  async ask(wish: Parameters<House['decision']>[0] = {}): Promise<Approval> {
    const decision = this.decision(wish);
    await this.decide(decision);
    return this.approvalOf(decision.decisionId);
  }

  async approvalOf(decisionId: string): Promise<Approval> {
    let found: Approval | undefined;
    await this.until('the approval is there', async () => {
      found = await this.admin.approvals
        .getApproval({ approvalId: '', decisionId })
        .catch((error: unknown) => {
          if (refusalOf(error)?.reason === 'APPROVAL_UNKNOWN') return undefined;
          throw error;
        });
      return found !== undefined;
    });
    if (found === undefined) throw new Error('no approval');
    return found;
  }

  async reaches(approvalId: string, state: ApprovalState): Promise<void> {
    await this.until(`\`${approvalId}\` is in state ${state}`, async () => {
      return (await this.admin.approvals.getApproval({ approvalId, decisionId: '' })).state === state;
    });
  }

  /** Names of the facts of an approval, in order. */
  async factsOf(approvalId: string): Promise<string[]> {
    const text = 'select type from approvals.event where stream_id = $1 order by version';
    return (await this.sql<{ type: string }>(text, [`approval-${approvalId}`])).map(({ type }) => type);
  }

  async sql<Row extends pg.QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    return (await this.#pool.query<Row>(text, [...values])).rows;
  }

  async until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const giveUpAt = Date.now() + ARRIVAL_MS_MAX;
    while (!(await holds())) {
      if (Date.now() > giveUpAt) throw new Error(`waited ${ARRIVAL_MS_MAX} ms in vain: ${what}`);
      await delay(20);
    }
  }

  newId(kind: 'psn' | 'agt' | 'ses' | 'dec' | 'mdt' | 'tok' | 'apr' | 'lck'): string {
    return this.world.clock.newId(kind);
  }

  async stop(): Promise<void> {
    await this.#pool.end();
    await this.world.stop();
  }
}

/** The word that a vote gives its statement. */
export const toDeny = (statement: string) => statement.replace('"vote":"approve"', '"vote":"deny"');

/** A compact JWS (RFC 7515) over any text, with any header. */
export function jws(text: string, by: Pick<Person, 'keyId' | 'signingKey'>, header: object = {}): string {
  const encode = (part: string) => Buffer.from(part).toString('base64url');
  const signed = `${encode(JSON.stringify({ alg: 'ES256', kid: by.keyId, ...header }))}.${encode(text)}`;
  const signature = sign('sha256', Buffer.from(signed), { key: by.signingKey, dsaEncoding: 'ieee-p1363' });
  return `${signed}.${signature.toString('base64url')}`;
}

/** A vote as an honest approver casts it. */
export function voteOf({ approvalId, statement }: Approval, by: Person, approve = true) {
  const reason = approve ? '' : 'not this supplier';
  return {
    approvalId,
    approve,
    reason,
    signature: jws(approve ? statement : toDeny(statement), by),
    requestId: '',
  };
}

export const codeOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'not refused',
    (error: unknown) => refusalOf(error)?.reason ?? String(error),
  );
