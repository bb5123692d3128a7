import {
  GetMandateRequest,
  GrantMandateRequest,
  ListMandatesRequest,
  ListMandatesResponse,
  Mandate,
  MandateServiceService,
  RevokeMandateRequest,
} from '@writ/contracts/writ/session/v1/mandate.js';
import { authorityFlags, etag, flag, idArgument, limitsCell } from '../rows.js';
import { unary } from '../rpc.js';
import { column, details, listOf, shape, wide } from '../shape.js';
import type { Noun } from '../verb.js';

const { grantMandate, getMandate, listMandates, revokeMandate } = MandateServiceService;

const mandate = shape([
  column('id', 'mandateId'),
  column('agent', 'agentId'),
  column('person', 'personId'),
  column('state', 'state'),
  column('expires', 'expireTime'),
  column('purpose', 'purpose'),
  wide('allows', details),
  wide('limits', limitsCell),
  wide('depth at most', (row) => String(row.maxDepth ?? 0)),
  wide('granted', 'grantTime'),
  wide('etag', 'etag'),
]);
const id = idArgument('mandate');

export const mandateNoun: Noun = {
  name: 'mandate',
  doc: 'what a person allowed: the root of every delegation',
  verbs: [
    {
      name: 'grant',
      doc: 'allow an agent something, for a purpose and a time, in your own name',
      rpc: unary('session-broker', grantMandate, GrantMandateRequest, Mandate),
      shape: mandate,
      file: true,
      options: [
        flag('agent', 'who is allowed', { field: 'agent_id', required: true }),
        flag('purpose', 'what for'),
        ...authorityFlags,
      ],
    },
    {
      name: 'get',
      doc: 'show one mandate',
      args: [id],
      rpc: unary('session-broker', getMandate, GetMandateRequest, Mandate),
      shape: mandate,
    },
    {
      name: 'list',
      doc: 'list mandates',
      rpc: unary('session-broker', listMandates, ListMandatesRequest, ListMandatesResponse),
      shape: listOf('mandates', mandate),
      pages: 'mandates',
      options: [
        flag('agent', 'only those for this agent', { field: 'agent_id' }),
        flag('person', 'only those that this person granted', { field: 'person_id' }),
      ],
    },
    {
      name: 'revoke',
      doc: 'take a mandate back, and with it everything below',
      args: [id],
      options: [flag('reason', 'why, for whoever reads the ledger', { required: true }), etag],
      rpc: unary('session-broker', revokeMandate, RevokeMandateRequest, Mandate),
      shape: mandate,
      confirm: { kind: 'yes', question: 'everything below this mandate ends with it. go on?' },
    },
  ],
};
