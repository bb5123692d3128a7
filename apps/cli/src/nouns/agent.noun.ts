import {
  Agent,
  AgentServiceService,
  AttestAgentRequest,
  ChangeAgentProvenanceRequest,
  ChangeAgentSponsorRequest,
  GetAgentRequest,
  ListAgentsRequest,
  ListAgentsResponse,
  RegisterAgentRequest,
  ReinstateAgentRequest,
  RetireAgentRequest,
  RotateAgentKeyRequest,
  ScoreAgentRequest,
  SuspendAgentRequest,
} from '@writ/contracts/writ/registry/v1/agent.js';
import { textAt } from '../json.js';
import { keyExtras, keyFills, registerWithKey, rotateKey } from '../register-key.js';
import { etag, flag, idArgument } from '../rows.js';
import { unary } from '../rpc.js';
import { column, listOf, shape, wide } from '../shape.js';
import type { Noun } from '../verb.js';
import { hint, type Work } from '../work.js';

const { registerAgent, getAgent, listAgents, attestAgent, changeAgentProvenance } = AgentServiceService;
const { changeAgentSponsor, rotateAgentKey, suspendAgent, reinstateAgent, retireAgent, scoreAgent } =
  AgentServiceService;

const agent = shape([
  column('id', 'agentId'),
  column('name', 'displayName'),
  column('state', 'state'),
  column('owner', 'owner'),
  column('sponsor', 'sponsorId'),
  column('trust', (row) => textAt(row, 'trust.score') || '0'),
  column('environment', 'environment'),
  wide('sensitivity', 'sensitivity'),
  wide('blueprint', 'blueprintId'),
  wide('builder', 'builder'),
  wide('purpose', 'purpose'),
  wide('key', 'keyId'),
  wide('suspended because', 'suspendReason'),
  wide('spiffe id', 'spiffeId'),
  wide('registered', 'registerTime'),
  wide('etag', 'etag'),
]);
const provenance = flag('provenance', 'digests, as in `model_digest=sha-256:…,image_digest=sha-256:…`');
const id = idArgument('agent');
const getRpc = unary('registry', getAgent, GetAgentRequest, Agent);

const digests = {
  model: 'modelDigest',
  'system prompt': 'systemPromptDigest',
  tools: 'toolsDigest',
  image: 'imageDigest',
};

/** Shows the provenance and attests that one: what somebody changes meanwhile is refused. An etag of one's own stays. */
async function attestWhatIsShown(work: Work): Promise<undefined> {
  const { suite, request } = work;
  if (textAt(request, 'etag') !== '') return;
  const seen = await suite.call(getRpc, { agentId: textAt(request, 'agentId') });
  request.etag = textAt(seen, 'etag');
  const parts = Object.entries(digests).map(
    ([part, field]) => `${part} ${textAt(seen, `provenance.${field}`) || 'unknown'}`,
  );
  hint(work, `attesting what is so at --etag ${request.etag}: ${parts.join(', ')}`);
}

export const agentNoun: Noun = {
  name: 'agent',
  doc: 'autonomous programs with an identity of their own',
  verbs: [
    {
      name: 'register',
      doc: 'register an agent; it cannot act before its sponsor has attested it',
      rpc: unary('registry', registerAgent, RegisterAgentRequest, Agent),
      shape: agent,
      file: true,
      options: [
        flag('name', 'what people call it', { field: 'display_name', required: true }),
        flag('builder', 'the team or supplier that built it'),
        flag('owner', 'the team that runs it'),
        flag('sponsor', 'the person accountable for it', { field: 'sponsor_id' }),
        flag('blueprint', 'the family it belongs to', { field: 'blueprint_id' }),
        flag('purpose', 'what it is for'),
        flag('environment', 'where it runs'),
        flag('sensitivity', 'the most sensitive data it may touch'),
        provenance,
      ],
      extras: keyExtras,
      fills: keyFills,
      before: (work) => registerWithKey(work, { idField: 'agentId', nameField: 'displayName', always: true }),
      hint: (answer) =>
        `next: writ agent attest ${textAt(answer, 'agentId')}, as its sponsor; then writ certificate issue ${textAt(answer, 'agentId')}`,
    },
    {
      name: 'get',
      doc: 'show one agent',
      args: [id],
      rpc: getRpc,
      shape: agent,
    },
    {
      name: 'list',
      doc: 'list agents',
      rpc: unary('registry', listAgents, ListAgentsRequest, ListAgentsResponse),
      shape: listOf('agents', agent),
      pages: 'agents',
      options: [
        flag('state', 'only those in this state'),
        flag('owner', 'only those of this team'),
        flag('sponsor', 'only those of this sponsor', { field: 'sponsor_id' }),
        flag('blueprint', 'only those of this family', { field: 'blueprint_id' }),
        flag('environment', 'only those that run there'),
      ],
    },
    {
      name: 'attest',
      doc: 'say, as its sponsor, that the agent is what its provenance says',
      args: [id],
      options: [etag],
      rpc: unary('registry', attestAgent, AttestAgentRequest, Agent),
      shape: agent,
      before: attestWhatIsShown,
    },
    {
      name: 'change-provenance',
      doc: 'record what the agent is made of now; it has to be attested again',
      args: [id],
      options: [{ ...provenance, required: true }, etag],
      rpc: unary('registry', changeAgentProvenance, ChangeAgentProvenanceRequest, Agent),
      shape: agent,
    },
    {
      name: 'change-sponsor',
      doc: 'make another person accountable',
      args: [id],
      options: [flag('sponsor', 'the new sponsor', { field: 'sponsor_id', required: true }), etag],
      rpc: unary('registry', changeAgentSponsor, ChangeAgentSponsorRequest, Agent),
      shape: agent,
    },
    {
      name: 'rotate-key',
      doc: 'register another key; without --key-file a new one, in the profile of the agent',
      args: [id],
      options: [etag],
      rpc: unary('registry', rotateAgentKey, RotateAgentKeyRequest, Agent),
      shape: agent,
      extras: [{ flag: 'key-file', value: 'FILE', doc: 'JWK or PEM; only its public half is sent' }],
      fills: keyFills,
      before: rotateKey,
      hint: (answer) => `next: writ certificate issue ${textAt(answer, 'agentId')}`,
    },
    {
      name: 'suspend',
      doc: 'stop an agent until it is reinstated',
      args: [id],
      options: [flag('reason', 'why, for whoever reads the ledger', { required: true }), etag],
      rpc: unary('registry', suspendAgent, SuspendAgentRequest, Agent),
      shape: agent,
    },
    {
      name: 'reinstate',
      doc: 'let a suspended agent act again',
      args: [id],
      options: [etag],
      rpc: unary('registry', reinstateAgent, ReinstateAgentRequest, Agent),
      shape: agent,
    },
    {
      name: 'retire',
      doc: 'end an agent for good; its id is never used again',
      args: [id],
      options: [etag],
      rpc: unary('registry', retireAgent, RetireAgentRequest, Agent),
      shape: agent,
      confirm: { kind: 'typed', field: 'agent_id', question: 'this cannot be undone' },
    },
    {
      name: 'score',
      doc: 'compute the trust score as of now',
      args: [id],
      rpc: unary('registry', scoreAgent, ScoreAgentRequest, Agent),
      shape: agent,
    },
  ],
};
