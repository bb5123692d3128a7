import type {
  PersonKeyAdded,
  PersonKeyRetired,
  PersonLeft,
  PersonRegistered,
  PersonRolesChanged,
  Role,
} from '@writ/contracts/writ/registry/v1/person_facts.js';
import { type Decider, refusals, unreachable } from '@writ/kernel';

export type PersonEvent =
  | { type: 'PersonRegistered'; data: PersonRegistered }
  | { type: 'PersonRolesChanged'; data: PersonRolesChanged }
  | { type: 'PersonKeyAdded'; data: PersonKeyAdded }
  | { type: 'PersonKeyRetired'; data: PersonKeyRetired }
  | { type: 'PersonLeft'; data: PersonLeft };

export interface PublicKey {
  /** RFC 7638 thumbprint. */
  readonly keyId: string;
  /** Canonical JSON of the public JWK. */
  readonly jwk: string;
}

export type PersonCommand =
  | { type: 'RegisterPerson'; personId: string; roles: readonly Role[]; key: PublicKey | undefined }
  | { type: 'SetPersonRoles'; personId: string; roles: readonly Role[] }
  | { type: 'AddPersonKey'; personId: string; key: PublicKey }
  | { type: 'RetirePersonKey'; personId: string; keyId: string }
  | { type: 'MarkPersonLeft'; personId: string };

export interface Person {
  readonly status: 'unknown' | 'active' | 'left';
  readonly personId: string;
  readonly roles: readonly Role[];
  readonly keys: readonly PublicKey[];
}

export const refuse = refusals({
  PERSON_UNKNOWN: 'not-found',
  PERSON_ALREADY_REGISTERED: 'conflict',
  PERSON_LEFT: 'precondition',
  PERSON_KEY_UNKNOWN: 'not-found',
  PERSON_KEYS_TOO_MANY: 'precondition',
  BOOTSTRAP_OVER: 'forbidden',
});

/** More keys than a person needs are keys that nobody watches. */
const KEYS_MAX = 8;

function ascending(roles: readonly Role[]): Role[] {
  return [...new Set(roles)].sort((a, b) => a - b);
}

function decide(command: PersonCommand, person: Person): readonly PersonEvent[] {
  const { personId } = command;
  if (command.type === 'RegisterPerson') {
    if (person.status !== 'unknown') {
      throw refuse('PERSON_ALREADY_REGISTERED', `person \`${personId}\` is already registered`);
    }
    const registered: PersonEvent = {
      type: 'PersonRegistered',
      data: { personId, roles: ascending(command.roles) },
    };
    if (command.key === undefined) return [registered];
    return [registered, { type: 'PersonKeyAdded', data: { personId, ...command.key } }];
  }
  if (person.status === 'unknown')
    throw refuse('PERSON_UNKNOWN', `no person \`${personId}\`; register them first`);
  if (person.status === 'left') {
    if (command.type === 'MarkPersonLeft') return [];
    throw refuse('PERSON_LEFT', `person \`${personId}\` has left`);
  }
  switch (command.type) {
    case 'SetPersonRoles': {
      const roles = ascending(command.roles);
      if (roles.join() === person.roles.join()) return [];
      return [{ type: 'PersonRolesChanged', data: { personId, roles } }];
    }
    case 'AddPersonKey':
      if (person.keys.some((key) => key.keyId === command.key.keyId)) return [];
      if (person.keys.length >= KEYS_MAX) {
        throw refuse('PERSON_KEYS_TOO_MANY', `person \`${personId}\` has ${KEYS_MAX} keys; retire one first`);
      }
      return [{ type: 'PersonKeyAdded', data: { personId, ...command.key } }];
    case 'RetirePersonKey':
      if (!person.keys.some((key) => key.keyId === command.keyId)) {
        throw refuse('PERSON_KEY_UNKNOWN', `person \`${personId}\` has no key \`${command.keyId}\``);
      }
      return [{ type: 'PersonKeyRetired', data: { personId, keyId: command.keyId } }];
    case 'MarkPersonLeft':
      return [{ type: 'PersonLeft', data: { personId } }];
    default:
      return unreachable(command);
  }
}

function evolve(person: Person, event: PersonEvent): Person {
  switch (event.type) {
    case 'PersonRegistered':
      return { ...person, status: 'active', personId: event.data.personId, roles: event.data.roles };
    case 'PersonRolesChanged':
      return { ...person, roles: event.data.roles };
    case 'PersonKeyAdded':
      return { ...person, keys: [...person.keys, { keyId: event.data.keyId, jwk: event.data.jwk }] };
    case 'PersonKeyRetired':
      return { ...person, keys: person.keys.filter((key) => key.keyId !== event.data.keyId) };
    case 'PersonLeft':
      return { ...person, status: 'left', roles: [] };
    default:
      return unreachable(event);
  }
}

export const personDecider: Decider<Person, PersonCommand, PersonEvent> = {
  initialState: () => ({ status: 'unknown', personId: '', roles: [], keys: [] }),
  decide,
  evolve,
};
