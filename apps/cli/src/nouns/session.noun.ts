import {
  EndSessionRequest,
  GetSessionRequest,
  ListSessionsRequest,
  ListSessionsResponse,
  OpenSessionRequest,
  OpenSessionResponse,
  Session,
  SessionServiceService,
} from '@writ/contracts/writ/session/v1/session.js';
import { assertion, listSigningKeys } from '../assertion.js';
import { usage } from '../cli-failure.js';
import { textAt } from '../json.js';
import { flag, idArgument } from '../rows.js';
import { unary } from '../rpc.js';
import { forgetSession, readSession } from '../session-file.js';
import { column, listOf, partOf, shape, wide } from '../shape.js';
import { issueToken, keepToken } from '../token.js';
import type { After, Noun } from '../verb.js';
import type { Work } from '../work.js';

const { openSession, endSession, getSession, listSessions } = SessionServiceService;

const session = shape([
  column('id', 'sessionId'),
  column('agent', 'agentId'),
  column('state', 'state'),
  column('task', 'task'),
  column('expires', 'expireTime'),
  wide('person', 'personId'),
  wide('mandate', 'mandateId'),
  wide('delegations', 'delegationIds'),
  wide('purpose', 'purpose'),
  wide('opened', 'openTime'),
  wide('ended because', 'endCause'),
  wide('etag', 'etag'),
]);
const token = shape([column('token expires', 'tokenExpireTime')], () => 'token');
const signingKey = shape([column('id', 'keyId'), column('added', 'addTime')], (row) => textAt(row, 'keyId'));
const own = { ...idArgument('session', 'the session; else that of the profile'), optional: true } as const;
const showToken = {
  flag: 'show-token',
  doc: 'print the token; else it is kept in the profile and never shown',
};
const hides = { accessToken: 'show-token' };
const fills = { assertion: '<JWT of the agent, signed with its key (RFC 7523)>' };

export const sessionNoun: Noun = {
  name: 'session',
  doc: 'an agent at work under one delegation, for one task',
  verbs: [
    {
      name: 'open',
      doc: 'prove who you are and start on a task; the profile has to be that of the agent',
      rpc: unary('session-broker', openSession, OpenSessionRequest, OpenSessionResponse),
      shape: partOf('session', session),
      options: [
        flag('mandate', 'under this mandate', { field: 'mandate_id' }),
        flag('delegation', 'under this delegation', { field: 'delegation_id' }),
        flag('task', 'what you are about to do', { required: true }),
      ],
      extras: [showToken],
      fills,
      hides,
      before: open,
    },
    {
      name: 'token',
      doc: 'get a fresh token of a session that lives',
      args: [own],
      rpc: issueToken,
      shape: token,
      extras: [showToken],
      fills,
      hides,
      before: renew,
    },
    {
      name: 'end',
      doc: 'end a session; its token and leases end with it',
      args: [own],
      rpc: unary('session-broker', endSession, EndSessionRequest, Session),
      shape: session,
      before: end,
    },
    {
      name: 'get',
      doc: 'show one session',
      args: [own],
      rpc: unary('session-broker', getSession, GetSessionRequest, Session),
      shape: session,
      before: async (work) => void (await sessionIdOf(work)),
    },
    {
      name: 'list',
      doc: 'list sessions',
      rpc: unary('session-broker', listSessions, ListSessionsRequest, ListSessionsResponse),
      shape: listOf('sessions', session),
      pages: 'sessions',
      options: [
        flag('agent', 'only those of this agent', { field: 'agent_id' }),
        flag('mandate', 'only those under this mandate', { field: 'mandate_id' }),
        flag('state', 'only those in this state'),
      ],
    },
    {
      name: 'keys',
      doc: 'list the public keys with which tokens are signed',
      rpc: listSigningKeys,
      shape: listOf('keys', signingKey),
    },
  ],
};

async function open(work: Work): Promise<After> {
  const { mandateId, delegationId } = work.request;
  if ((mandateId === undefined) === (delegationId === undefined))
    throw usage('exactly one of `--mandate` and `--delegation` is needed');
  work.request.assertion = await assertion(work);
  return async (answer) => void (await keepToken(work, textAt(answer, 'session.sessionId'), answer, []));
}

async function renew(work: Work): Promise<After> {
  const sessionId = await sessionIdOf(work);
  work.request.assertion = await assertion(work);
  const positions = (await readSession(work))?.positions ?? [];
  return async (answer) => void (await keepToken(work, sessionId, answer, positions));
}

async function end(work: Work): Promise<After> {
  const sessionId = await sessionIdOf(work);
  return async () => {
    if ((await readSession(work))?.sessionId === sessionId) await forgetSession(work);
  };
}

async function sessionIdOf(work: Work): Promise<string> {
  const sessionId = textAt(work.request, 'sessionId') || ((await readSession(work))?.sessionId ?? '');
  if (sessionId === '') throw usage('`SESSION` is needed: the profile has no open session');
  work.request.sessionId = sessionId;
  return sessionId;
}
