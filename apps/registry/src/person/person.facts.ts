import {
  PersonKeyAdded,
  PersonKeyRetired,
  PersonLeft,
  PersonRegistered,
  PersonRolesChanged,
} from '@writ/contracts/writ/registry/v1/person_facts.js';
import type { Facts } from '@writ/event-store';
import type { PersonEvent } from './person.js';

export const personFacts: Facts<PersonEvent> = {
  PersonRegistered,
  PersonRolesChanged,
  PersonKeyAdded,
  PersonKeyRetired,
  PersonLeft,
};
