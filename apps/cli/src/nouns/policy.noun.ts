import {
  ApplyPolicySetRequest,
  GetPolicySetRequest,
  ListPolicySetsRequest,
  ListPolicySetsResponse,
  PolicySet,
  PolicySetServiceService,
  RollbackPolicySetRequest,
} from '@writ/contracts/writ/policy/v1/policy_set.js';
import { textAt } from '../json.js';
import { diffLines } from '../policy-diff.js';
import {
  applySet,
  callPatiently,
  checkCode,
  checkFolder,
  checkLines,
  diffFolder,
  folderArgument,
  testCode,
  testFolder,
  testLines,
  testPolicySet,
  textsArgument,
} from '../policy-set-call.js';
import { etag, flag, idArgument } from '../rows.js';
import { unary } from '../rpc.js';
import { column, listOf, type Shape, shape, wide } from '../shape.js';
import type { Noun } from '../verb.js';

const { applyPolicySet, getPolicySet, listPolicySets, rollbackPolicySet } = PolicySetServiceService;
const applyRpc = unary('policy-engine', applyPolicySet, ApplyPolicySetRequest, PolicySet);
const getRpc = unary('policy-engine', getPolicySet, GetPolicySetRequest, PolicySet);
const rollbackRpc = unary('policy-engine', rollbackPolicySet, RollbackPolicySetRequest, PolicySet);

const policySet = shape([
  column('id', 'policySetId'),
  column('version', 'version'),
  column('active', (row) => (row.active === true ? 'active' : 'no')),
  column('note', 'note'),
  column('applied', 'applyTime'),
  wide('digest', 'digest'),
  wide('etag', 'etag'),
  wide('brought back', 'restoredPolicySetId'),
]);
const problems: Shape = {
  ...listOf(
    'problems',
    shape([], (row) => `${textAt(row, 'file')}:${textAt(row, 'line')}`),
  ),
  lines: checkLines,
};
const results: Shape = {
  ...listOf(
    'results',
    shape([], (row) => textAt(row, 'name')),
  ),
  lines: testLines,
};
const differences: Shape = {
  ...listOf(
    'differences',
    shape([], (row) => textAt(row, 'id')),
  ),
  lines: diffLines,
};
const activeEtag = {
  ...etag,
  doc: 'the etag of the set that is active now: nobody else changed it meanwhile',
};
const note = flag('note', 'why, for whoever reads the ledger');

export const policyNoun: Noun = {
  name: 'policy',
  doc: 'Cedar policies with their schema and their tests, versioned as a whole',
  verbs: [
    {
      name: 'check',
      doc: 'say what is wrong with the texts of a policy folder, with file, line and column; exit code 3 when anything is',
      args: [textsArgument],
      rpc: testPolicySet,
      shape: problems,
      send: checkFolder,
      verdict: checkCode,
    },
    {
      name: 'test',
      doc: 'run the tests of a policy folder as the engine would decide; changes nothing; exit code 3 when one fails',
      args: [folderArgument],
      rpc: testPolicySet,
      shape: results,
      send: testFolder,
      verdict: testCode,
    },
    {
      name: 'diff',
      doc: 'show how a policy folder differs from the set that is active, or from another',
      args: [{ name: 'DIR', doc: folderArgument.doc }],
      rpc: getRpc,
      shape: differences,
      options: [
        flag('against', 'compare with this set; else with the active one', { field: 'policy_set_id' }),
      ],
      send: (work) => diffFolder(work, getRpc),
    },
    {
      name: 'apply',
      doc: 'make a policy set the active one, if its tests pass; with --dry-run only say whether it would be accepted',
      args: [{ ...folderArgument, optional: true }],
      rpc: applyRpc,
      shape: policySet,
      options: [
        flag('policies-file', 'Cedar policies, in place of a folder', { field: 'policies', fromFile: true }),
        flag('schema-file', 'the Cedar schema they are checked against', { field: 'schema', fromFile: true }),
        note,
        activeEtag,
      ],
      send: (work) => applySet(work, applyRpc),
    },
    {
      name: 'rollback',
      doc: 'apply an earlier policy set again, with its texts and tests, as a new version',
      args: [idArgument('policy_set', 'the earlier set')],
      rpc: rollbackRpc,
      shape: policySet,
      options: [note, activeEtag],
      send: (work) => callPatiently(work, rollbackRpc),
    },
    {
      name: 'get',
      doc: 'show a policy set; its text with -o yaml',
      args: [{ ...idArgument('policy_set', 'the set; else the active one'), optional: true }],
      rpc: getRpc,
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
