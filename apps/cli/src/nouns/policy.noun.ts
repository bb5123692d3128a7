import {
  ApplyPolicySetRequest,
  GetPolicySetRequest,
  ListPolicySetsRequest,
  ListPolicySetsResponse,
  PolicySet,
  PolicySetServiceService,
} from '@writ/contracts/writ/policy/v1/policy_set.js';
import { etag, flag, idArgument } from '../rows.js';
import { unary } from '../rpc.js';
import { column, listOf, shape, wide } from '../shape.js';
import type { Noun } from '../verb.js';

const { applyPolicySet, getPolicySet, listPolicySets } = PolicySetServiceService;

const policySet = shape([
  column('id', 'policySetId'),
  column('version', 'version'),
  column('active', (row) => (row.active === true ? 'active' : 'no')),
  column('note', 'note'),
  column('applied', 'applyTime'),
  wide('digest', 'digest'),
  wide('etag', 'etag'),
]);

export const policyNoun: Noun = {
  name: 'policy',
  doc: 'Cedar policies with their schema, versioned as a whole',
  verbs: [
    {
      name: 'apply',
      doc: 'make a policy set the active one; with --dry-run only say whether it would be accepted',
      rpc: unary('policy-engine', applyPolicySet, ApplyPolicySetRequest, PolicySet),
      shape: policySet,
      options: [
        flag('policies-file', 'Cedar policies', { field: 'policies', fromFile: true, required: true }),
        flag('schema-file', 'the Cedar schema they are checked against', {
          field: 'schema',
          fromFile: true,
          required: true,
        }),
        flag('note', 'why, for whoever reads the ledger'),
        { ...etag, doc: 'the etag of the set that is active now: nobody else changed it meanwhile' },
      ],
    },
    {
      name: 'get',
      doc: 'show a policy set; its text with -o yaml',
      args: [{ ...idArgument('policy_set', 'the set; else the active one'), optional: true }],
      rpc: unary('policy-engine', getPolicySet, GetPolicySetRequest, PolicySet),
      shape: policySet,
    },
    {
      name: 'list',
      doc: 'list policy sets',
      rpc: unary('policy-engine', listPolicySets, ListPolicySetsRequest, ListPolicySetsResponse),
      shape: listOf('policySets', policySet),
      pages: 'policySets',
    },
  ],
};
