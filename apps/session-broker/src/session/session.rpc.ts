import { Injectable } from '@nestjs/common';
import {
  type EndSessionRequest,
  type GetSessionRequest,
  type IssueTokenRequest,
  type IssueTokenResponse,
  type ListSessionsRequest,
  type ListSessionsResponse,
  type ListSigningKeysRequest,
  type ListSigningKeysResponse,
  type OpenSessionRequest,
  type OpenSessionResponse,
  type Session as SessionMessage,
  SessionServiceService,
  SessionState,
} from '@writ/contracts/writ/session/v1/session.js';
import { SessionEndCause } from '@writ/contracts/writ/session/v1/session_facts.js';
import { CommandHandler, Database, type Tx } from '@writ/event-store';
import type { Call } from '@writ/kernel';
import {
  type Access,
  type Calls,
  check,
  enumValue,
  id,
  optional,
  Pages,
  required,
  text,
} from '@writ/service';
import { BrokerSettings } from '../broker-settings.js';
import { Sights, sees, sightAccess } from '../sight.js';
import { TokenSigner } from '../signing-key/signing-key.store.js';
import { Assertions, type VerifiedAssertion } from './assertion.store.js';
import { sessionFacts } from './session.facts.js';
import {
  refuse,
  requireStanding,
  type SessionCommand,
  type SessionEvent,
  sessionDecider,
} from './session.js';
import { type SessionRow, SessionView } from './session.view.js';
import { SessionChain } from './session-chain.store.js';
import { SessionTokens } from './session-token.store.js';

export const sessionAccess = {
  openSession: ['agent'],
  issueToken: ['agent'],
  endSession: ['agent', 'role:sponsor', 'role:operator', 'role:security', 'role:admin'],
  getSession: sightAccess,
  listSessions: sightAccess,
  listSigningKeys: [...sightAccess, 'role:approver', 'enforcement-point'],
} as const satisfies Access<typeof SessionServiceService>;

const assertionRule = (assertion: string) =>
  required(assertion, assertion.length > 4_096 ? 'must have at most 4096 characters' : undefined);

@Injectable()
export class SessionRpc implements Calls<typeof SessionServiceService> {
  static readonly service = SessionServiceService;
  static readonly access = sessionAccess;

  constructor(
    private readonly database: Database,
    private readonly commands: CommandHandler,
    private readonly sessions: SessionView,
    private readonly chains: SessionChain,
    private readonly assertions: Assertions,
    private readonly tokens: SessionTokens,
    private readonly signer: TokenSigner,
    private readonly settings: BrokerSettings,
    private readonly sights: Sights,
    private readonly pages: Pages,
  ) {}

  async openSession(request: OpenSessionRequest, call: Call): Promise<OpenSessionResponse> {
    const { assertion, mandateId, delegationId, task } = request;
    check({
      assertion: assertionRule(assertion),
      mandateId:
        delegationId === ''
          ? id('mdt', mandateId)
          : optional(mandateId, 'must be left out beside `delegation_id`'),
      delegationId: optional(delegationId, id('dlg', delegationId)),
      task: text(task, { max: 500 }),
    });
    const verified = await this.assertions.verify(assertion, call);
    const hops = await (delegationId === ''
      ? this.chains.underMandate(mandateId)
      : this.chains.underDelegation(delegationId));
    const standing = await this.chains.standing(hops, call.at);
    const sessionId = call.newId('ses');
    const { row, ...answer } = await this.#withToken(verified, call, {
      type: 'OpenSession',
      sessionId,
      task,
      ...this.#issue(call),
      standing,
    });
    return { session: sessionMessage(row), ...answer };
  }

  async issueToken({ assertion, sessionId }: IssueTokenRequest, call: Call): Promise<IssueTokenResponse> {
    check({ assertion: assertionRule(assertion), sessionId: id('ses', sessionId) });
    const verified = await this.assertions.verify(assertion, call);
    const { opened } = await this.#row(sessionId);
    const standing = await this.chains.standing(await this.chains.ofSession(opened), call.at, sessionId);
    const command = { type: 'IssueToken', sessionId, ...this.#issue(call), standing } as const;
    const { row: _, ...answer } = await this.#withToken(verified, call, command);
    return answer;
  }

  async endSession({ sessionId }: EndSessionRequest, call: Call): Promise<SessionMessage> {
    check({ sessionId: id('ses', sessionId) });
    const row = await this.#row(sessionId);
    await this.#mayEnd(row, call);
    const cause = SessionEndCause.SESSION_END_CAUSE_ENDED;
    await this.#handle(call, { type: 'EndSession', sessionId, cause }, row.opened.agentId);
    return sessionMessage(await this.#row(sessionId));
  }

  async getSession({ sessionId }: GetSessionRequest, call: Call): Promise<SessionMessage> {
    check({ sessionId: id('ses', sessionId) });
    const row = await this.#row(sessionId);
    const { agentId, personId } = row.opened;
    if (!sees(await this.sights.of(call), { agentIds: [agentId], personId }))
      throw refuse('SESSION_UNKNOWN', `no session \`${sessionId}\``);
    return sessionMessage(row);
  }

  async listSessions(request: ListSessionsRequest, call: Call): Promise<ListSessionsResponse> {
    const { agentId, mandateId, state: wanted } = request;
    check({
      agentId: optional(agentId, id('agt', agentId)),
      mandateId: optional(mandateId, id('mdt', mandateId)),
      state: wanted === 0 ? undefined : enumValue(SessionState, wanted),
    });
    const narrowed = wanted === SessionState.SESSION_STATE_OPEN ? 'open' : 'ended';
    const filter = { agentId, mandateId, state: wanted === 0 ? 'any' : narrowed } as const;
    const sight = await this.sights.of(call);
    const page = this.pages.open(request, { list: 'sessions', filter, caller: call.actor });
    const rows = await this.sessions.list(page.after, page.size + 1, filter, sight);
    const { rows: shown, nextPageToken } = page.cut(rows, (row) => row.opened.sessionId);
    return { sessions: shown.map(sessionMessage), nextPageToken };
  }

  async listSigningKeys(_: ListSigningKeysRequest): Promise<ListSigningKeysResponse> {
    const { keyId, jwk } = this.signer.registered;
    return { issuer: this.settings.tokenIssuer, keys: [{ keyId, jwk, addTime: undefined }] };
  }

  async #mayEnd({ opened }: SessionRow, { caller }: Call): Promise<void> {
    if (caller.id === opened.agentId || caller.id === opened.personId) return;
    const isPerson = caller.kind === 'person';
    if (isPerson && (await this.sights.holdsAny(caller.id, ['operator', 'security', 'admin']))) return;
    throw refuse(
      'NOT_YOUR_SESSION',
      `\`${opened.sessionId}\` is ended by its agent, its person, an operator or security`,
    );
  }

  #issue(call: Call) {
    return {
      agentId: call.caller.id,
      tokenId: call.newId('tok'),
      keyId: this.tokens.keyId,
      certificateSha256: call.caller.certificateSha256,
      at: call.at,
    };
  }

  /** @param agentId of the session, whoever acts on it: all of its facts stay in order on the bus */
  #handle(call: Call, command: SessionCommand, agentId: string, tx?: Tx) {
    const order = {
      decider: sessionDecider,
      facts: sessionFacts,
      streamId: `session-${command.sessionId}`,
      kind: 'session',
    };
    return this.commands.handle({ ...order, partKey: agentId, command, call }, tx);
  }

  /**
   * Carries out what issues a token, and makes the token. A retry of the same request brings the same assertion, which is
   * used up already; it gets the token that is on record, unless the session has ended meanwhile.
   */
  async #withToken(
    verified: VerifiedAssertion,
    call: Call,
    command: Exclude<SessionCommand, { type: 'EndSession' }>,
  ) {
    const done = await this.database.transaction(async (tx) => {
      const { state, facts, replayed } = await this.#handle(call, command, call.caller.id, tx);
      if (!replayed) await this.assertions.useUp(verified, tx);
      const { opened } = state;
      if (opened === undefined) throw new Error(`no session came of \`${command.sessionId}\``);
      const row = await this.#row(opened.sessionId, tx);
      if (row.endCause !== 0)
        throw refuse('SESSION_ENDED', `session \`${opened.sessionId}\` has ended; open a new one`);
      // Somebody may have been stopped since the command was prepared; throwing undoes it.
      const standing = await this.chains.standingIn(tx, opened, call.at);
      const hops = requireStanding(opened.agentId, standing, call.at);
      return { row, hops, issued: issuedIn(facts) };
    });
    const { row, hops, issued } = done;
    return {
      row,
      accessToken: await this.tokens.make(row.opened, hops, issued, call.at),
      tokenExpireTime: issued.expireTime,
      position: { source: 'session-broker', pos: BigInt(row.pos) },
    };
  }

  async #row(sessionId: string, tx?: Tx): Promise<SessionRow> {
    const row = await this.sessions.find(sessionId, tx);
    if (row === undefined) throw refuse('SESSION_UNKNOWN', `no session \`${sessionId}\``);
    return row;
  }
}

function issuedIn(facts: readonly SessionEvent[]) {
  const issued = facts.find((fact) => fact.type === 'TokenIssued');
  if (issued === undefined) throw new Error('no token was issued');
  return issued.data;
}

function sessionMessage({ opened, endCause, openedAt, etag }: SessionRow): SessionMessage {
  const { sessionId, agentId, mandateId, delegationIds, personId, task, purpose, expireTime } = opened;
  return {
    name: `agents/${agentId}/sessions/${sessionId}`,
    sessionId,
    agentId,
    mandateId,
    delegationIds,
    personId,
    task,
    purpose,
    openTime: openedAt,
    expireTime,
    state: endCause === 0 ? SessionState.SESSION_STATE_OPEN : SessionState.SESSION_STATE_ENDED,
    endCause,
    etag,
  };
}
