import { Injectable } from '@nestjs/common';
import {
  type AddPersonKeyRequest,
  type GetPersonRequest,
  type ListPeopleRequest,
  type ListPeopleResponse,
  type MarkPersonLeftRequest,
  type Person as PersonMessage,
  PersonServiceService,
  PersonState,
  type RegisterPersonRequest,
  type RetirePersonKeyRequest,
  type SetPersonRolesRequest,
} from '@writ/contracts/writ/registry/v1/person.js';
import { Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { CommandHandler, Database } from '@writ/event-store';
import type { Call } from '@writ/kernel';
import {
  type Access,
  type Calls,
  check,
  enumValue,
  id,
  list,
  optional,
  Pages,
  publicJwk,
  registeredKey,
  required,
  text,
} from '@writ/service';
import type { Row } from '../fold.view.js';
import { personFacts } from './person.facts.js';
import { type Person, type PersonCommand, personDecider, refuse } from './person.js';
import { PersonView, roleColumns } from './person.view.js';
import { ProfileStore } from './profile.store.js';

export const personAccess = {
  registerPerson: ['role:admin', 'bootstrap'],
  getPerson: [
    'role:admin',
    'role:operator',
    'role:sponsor',
    'role:approver',
    'role:auditor',
    'role:security',
  ],
  listPeople: ['role:admin', 'role:operator', 'role:auditor', 'role:security'],
  setPersonRoles: ['role:admin'],
  addPersonKey: ['role:admin'],
  retirePersonKey: ['role:admin', 'role:security'],
  markPersonLeft: ['role:admin', 'role:security'],
} as const satisfies Access<typeof PersonServiceService>;

const roleRule = (role: Role) => enumValue(Role, role);

@Injectable()
export class PersonRpc implements Calls<typeof PersonServiceService> {
  static readonly service = PersonServiceService;
  static readonly access = personAccess;

  constructor(
    private readonly database: Database,
    private readonly commands: CommandHandler,
    private readonly people: PersonView,
    private readonly profiles: ProfileStore,
    private readonly pages: Pages,
  ) {}

  async registerPerson(request: RegisterPersonRequest, call: Call): Promise<PersonMessage> {
    const { displayName, roles, jwk } = request;
    check({
      displayName: text(displayName, { max: 200 }),
      roles: list(roles, { max: 6, rule: roleRule }),
      jwk: optional(jwk, publicJwk(jwk)),
    });
    const personId = call.newId('psn');
    const key = jwk === '' ? undefined : registeredKey(jwk);
    const handled = await this.database.transaction(async (tx) => {
      const done = await this.#handle(call, { type: 'RegisterPerson', personId, roles, key }, '', tx);
      // Who asks once more for the answer to the very same request gets it, and nobody new.
      if (done.replayed) return done;
      // After the append, which lets one registration pass at a time: two first ones cannot both find nobody.
      if (call.caller.kind === 'bootstrap' && (await this.people.hasOthers(tx, personId)))
        throw refuse('BOOTSTRAP_OVER', 'the first person is registered; an admin registers the others');
      await this.profiles.put(tx, personId, displayName);
      return done;
    });
    return this.#message(handled.streamId.slice('person-'.length));
  }

  async getPerson({ personId }: GetPersonRequest): Promise<PersonMessage> {
    check({ personId: id('psn', personId) });
    return this.#message(personId);
  }

  async listPeople(request: ListPeopleRequest, call: Call): Promise<ListPeopleResponse> {
    const { role } = request;
    if (role !== Role.ROLE_UNSPECIFIED) check({ role: roleRule(role) });
    const page = this.pages.open(request, { list: 'people', role, caller: call.actor });
    const column = roleColumns[role];
    const rows = await this.people.list(page, column === undefined ? {} : { [column]: 'yes' });
    const { rows: shown, nextPageToken } = page.cut(rows, (row) => row.id);
    const names = await this.profiles.names(shown.map((row) => row.id));
    return { people: shown.map((row) => personMessage(row, names.get(row.id) ?? '')), nextPageToken };
  }

  async setPersonRoles({ personId, roles, etag }: SetPersonRolesRequest, call: Call): Promise<PersonMessage> {
    check({ personId: id('psn', personId), roles: list(roles, { max: 6, rule: roleRule }) });
    return this.#change(call, { type: 'SetPersonRoles', personId, roles }, etag);
  }

  async addPersonKey({ personId, jwk, etag }: AddPersonKeyRequest, call: Call): Promise<PersonMessage> {
    check({ personId: id('psn', personId), jwk: required(jwk, publicJwk(jwk)) });
    return this.#change(call, { type: 'AddPersonKey', personId, key: registeredKey(jwk) }, etag);
  }

  async retirePersonKey(
    { personId, keyId, etag }: RetirePersonKeyRequest,
    call: Call,
  ): Promise<PersonMessage> {
    check({ personId: id('psn', personId), keyId: required(keyId, text(keyId, { max: 64 })) });
    return this.#change(call, { type: 'RetirePersonKey', personId, keyId }, etag);
  }

  async markPersonLeft({ personId, etag }: MarkPersonLeftRequest, call: Call): Promise<PersonMessage> {
    check({ personId: id('psn', personId) });
    return this.#change(call, { type: 'MarkPersonLeft', personId }, etag);
  }

  async #change(call: Call, command: PersonCommand, etag: string): Promise<PersonMessage> {
    await this.#handle(call, command, etag);
    return this.#message(command.personId);
  }

  #handle(
    call: Call,
    command: PersonCommand,
    expectedEtag: string,
    tx?: Parameters<CommandHandler['handle']>[1],
  ) {
    const { personId } = command;
    const order = {
      decider: personDecider,
      facts: personFacts,
      streamId: `person-${personId}`,
      kind: 'person',
    };
    return this.commands.handle({ ...order, partKey: personId, command, call, expectedEtag }, tx);
  }

  async #message(personId: string): Promise<PersonMessage> {
    const row = await this.people.find(personId);
    if (row === undefined) throw refuse('PERSON_UNKNOWN', `no person \`${personId}\``);
    return personMessage(row, (await this.profiles.names([personId])).get(personId) ?? '');
  }
}

function personMessage(
  { id: personId, state, etag, firstAt }: Row<Person>,
  displayName: string,
): PersonMessage {
  return {
    name: `people/${personId}`,
    personId,
    displayName,
    roles: [...state.roles],
    keys: state.keys.map((key) => ({ ...key })),
    state: state.status === 'left' ? PersonState.PERSON_STATE_LEFT : PersonState.PERSON_STATE_ACTIVE,
    registerTime: firstAt,
    etag,
  };
}
