import {
  AddPersonKeyRequest,
  GetPersonRequest,
  ListPeopleRequest,
  ListPeopleResponse,
  MarkPersonLeftRequest,
  Person,
  PersonServiceService,
  RegisterPersonRequest,
  RetirePersonKeyRequest,
  SetPersonRolesRequest,
} from '@writ/contracts/writ/registry/v1/person.js';
import { listAt, textAt } from '../json.js';
import { addKey, keyExtras, keyFills, registerWithKey } from '../register-key.js';
import { etag, flag, idArgument } from '../rows.js';
import { unary } from '../rpc.js';
import { column, listOf, shape, wide } from '../shape.js';
import type { Noun } from '../verb.js';

const { registerPerson, getPerson, listPeople, setPersonRoles } = PersonServiceService;
const { addPersonKey, retirePersonKey, markPersonLeft } = PersonServiceService;

const person = shape([
  column('id', 'personId'),
  column('name', 'displayName'),
  column('state', 'state'),
  column('roles', 'roles'),
  wide(
    'keys',
    (row) =>
      listAt(row, 'keys')
        .map((key) => textAt(key, 'keyId'))
        .join(', ') || '-',
  ),
  wide('registered', 'registerTime'),
  wide('etag', 'etag'),
]);
const id = idArgument('person');
const roles = flag('role', 'what the person may do', { field: 'roles' });

export const personNoun: Noun = {
  name: 'person',
  doc: 'who may sponsor, grant, approve, operate and audit',
  verbs: [
    {
      name: 'register',
      doc: 'register a person; with --save-profile a key is made for them here',
      rpc: unary('registry', registerPerson, RegisterPersonRequest, Person),
      shape: person,
      options: [flag('name', 'what people call them', { field: 'display_name', required: true }), roles],
      extras: keyExtras,
      before: (work) =>
        registerWithKey(work, { idField: 'personId', nameField: 'displayName', always: false }),
    },
    {
      name: 'get',
      doc: 'show one person',
      args: [id],
      rpc: unary('registry', getPerson, GetPersonRequest, Person),
      shape: person,
    },
    {
      name: 'list',
      doc: 'list people',
      rpc: unary('registry', listPeople, ListPeopleRequest, ListPeopleResponse),
      shape: listOf('people', person),
      pages: 'people',
      options: [flag('role', 'only those with this role')],
    },
    {
      name: 'set-roles',
      doc: 'replace the roles of a person',
      args: [id],
      options: [roles, etag],
      rpc: unary('registry', setPersonRoles, SetPersonRolesRequest, Person),
      shape: person,
    },
    {
      name: 'add-key',
      doc: 'register another key of a person',
      args: [id],
      options: [etag],
      rpc: unary('registry', addPersonKey, AddPersonKeyRequest, Person),
      shape: person,
      extras: [{ flag: 'key-file', value: 'FILE', doc: 'JWK or PEM; only its public half is sent (needed)' }],
      fills: keyFills,
      before: addKey,
    },
    {
      name: 'retire-key',
      doc: 'take back a key of a person',
      args: [id, { name: 'KEY', field: 'key_id', doc: 'the thumbprint of the key' }],
      options: [etag],
      rpc: unary('registry', retirePersonKey, RetirePersonKeyRequest, Person),
      shape: person,
    },
    {
      name: 'leave',
      doc: 'record that a person has left; every agent that they sponsor stops',
      args: [id],
      options: [etag],
      rpc: unary('registry', markPersonLeft, MarkPersonLeftRequest, Person),
      shape: person,
      confirm: { kind: 'yes', question: 'every agent that this person sponsors will stop. go on?' },
    },
  ],
};
