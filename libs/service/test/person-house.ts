import { Injectable, Module } from '@nestjs/common';
import {
  CertificateServiceService,
  type IssueCertificateRequest,
  IssueCertificateResponse,
} from '@writ/contracts/writ/registry/v1/certificate.js';
import { PersonRegistered, Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { SigningKeyAdded } from '@writ/contracts/writ/session/v1/signing_key_facts.js';
import { type ConsumedFact, Reactions } from '@writ/event-bus';
import { CommandHandler, Database, type StoredFact, type Tx, View } from '@writ/event-store';
import type { Call, Decider } from '@writ/kernel';
import { Background, OwnCalls, type ServiceDefinition } from '../src/definition.js';
import type { Access, Calls } from '../src/edge.js';
import { SigningKeys } from '../src/signing-keys.js';

/** Two small services of a test: a registry that registers people, and a broker that publishes signing keys. */
type PersonFact = { type: 'PersonRegistered'; data: PersonRegistered };

const personDecider: Decider<boolean, { personId: string; role: Role }, PersonFact> = {
  initialState: () => false,
  decide: ({ personId, role }, registered) =>
    registered ? [] : [{ type: 'PersonRegistered', data: { personId, roles: [role] } }],
  evolve: () => true,
};

@Injectable()
export class PersonView extends View {
  override readonly name = 'person';
  override readonly version = 1;
  override readonly tables = 'create table if not exists registry_view.person (person_id text primary key)';

  constructor(private readonly database: Database) {
    super();
  }

  override async apply(fact: StoredFact, tx: Tx): Promise<void> {
    const { personId } = PersonRegistered.decode(fact.data);
    await tx.query('insert into registry_view.person (person_id) values ($1)', [personId]);
  }

  async count(): Promise<number> {
    return (await this.database.query('select from registry_view.person')).rowCount ?? 0;
  }
}

/** Registers the person named `subject_id`, with the role whose number is `key_id`. */
@Injectable()
export class PersonRpc implements Calls<typeof CertificateServiceService> {
  static readonly service = CertificateServiceService;
  static readonly access = { issueCertificate: ['bootstrap', 'role:admin'] } as const satisfies Access<
    typeof CertificateServiceService
  >;

  constructor(
    private readonly commands: CommandHandler,
    private readonly people: PersonView,
  ) {}

  async issueCertificate(request: IssueCertificateRequest, call: Call): Promise<IssueCertificateResponse> {
    const { subjectId, keyId } = request;
    const handled = await this.commands.handle({
      decider: personDecider,
      facts: { PersonRegistered },
      streamId: `person-${subjectId}`,
      kind: 'person',
      partKey: subjectId,
      command: { personId: subjectId, role: Number(keyId) },
      call,
    });
    const certificateId = `${handled.replayed ? 'again' : 'first'}, ${await this.people.count()} people`;
    return IssueCertificateResponse.fromPartial({ certificateId });
  }
}

/** What the registry heard of its own facts. */
@Injectable()
export class Heard extends Reactions {
  override readonly group = 'registry.heard';
  override readonly sources = ['registry'];
  readonly facts: ConsumedFact[] = [];
  readonly calls: Call[] = [];

  override async handle(fact: ConsumedFact, tx: Tx, call: Call): Promise<void> {
    tx.afterCommit(() => {
      this.facts.push(fact);
      this.calls.push(call);
    });
  }
}

@Injectable()
export class Ticking extends Background {
  readonly log: string[] = [];

  constructor(private readonly calls: OwnCalls) {
    super();
  }

  override async start(): Promise<void> {
    this.log.push(`started as ${this.calls.next('timer:test').actor}`);
  }

  override async stop(): Promise<void> {
    this.log.push('stopped');
  }
}

@Module({})
class RegistryModule {}

export const registry: ServiceDefinition = {
  name: 'registry',
  module: RegistryModule,
  edges: [PersonRpc],
  views: [PersonView],
  reactions: [Heard, SigningKeys],
  background: [Ticking, SigningKeys],
};

type KeyFact = { type: 'SigningKeyAdded'; data: SigningKeyAdded };

const keyDecider: Decider<null, { keyId: string; jwk: string }, KeyFact> = {
  initialState: () => null,
  decide: ({ keyId, jwk }) => [
    { type: 'SigningKeyAdded', data: { keyId, jwk, issuer: 'https://writ.test' } },
  ],
  evolve: (state) => state,
};

/** Publishes the public JWK in `key_id` as signing key `subject_id`. */
@Injectable()
export class KeyRpc implements Calls<typeof CertificateServiceService> {
  static readonly service = CertificateServiceService;
  static readonly access = { issueCertificate: ['bootstrap'] } as const satisfies Access<
    typeof CertificateServiceService
  >;

  constructor(private readonly commands: CommandHandler) {}

  async issueCertificate(request: IssueCertificateRequest, call: Call): Promise<IssueCertificateResponse> {
    await this.commands.handle({
      decider: keyDecider,
      facts: { SigningKeyAdded },
      streamId: 'signing-key',
      kind: 'signing-key',
      partKey: 'signing-key',
      command: { keyId: request.subjectId, jwk: request.keyId },
      call,
    });
    return IssueCertificateResponse.fromPartial({});
  }
}

@Module({})
class BrokerModule {}

export const broker: ServiceDefinition = {
  name: 'session-broker',
  module: BrokerModule,
  edges: [KeyRpc],
  views: [],
  reactions: [],
};
