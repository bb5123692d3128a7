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
import { SessionEndCause, type TokenIssued } from '@writ/contracts/writ/session/v1/session_facts.js';
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
  type Role,
  RoleDirectory,
  required,
  text,
} from '@writ/service';
import { BrokerSettings } from '../broker-settings.js';
import { TokenSigner } from '../signing-key/signing-key.store.js';
import { Assertions } from './assertion.store.js';
import { SessionChain } from './session.chain.js';
import { sessionFacts } from './session.facts.js';
import { refuse, type SessionCommand, type SessionEvent, sessionDecider } from './session.js';
import { SessionTokens } from './session.token.js';
import { type SessionRow, SessionView } from './session.view.js';

const readers = ['role:admin', 'role:operator', 'role:auditor', 'role:security'] as const;

export const sessionAccess = {
  openSession: ['agent'],
  issueToken: ['agent'],
  endSession: ['agent', 'role:sponsor', 'role:operator', 'role:security', 'role:admin'],
  getSession: [...readers, 'role:sponsor', 'agent'],
  listSessions: readers,
  listSigningKeys: [...readers, 'role:sponsor', 'role:approver', 'agent', 'enforcement-point'],
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
    private readonly roles: RoleDirectory,
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
    const command = {
      type: 'OpenSession',
      sessionId,
      agentId: call.caller.id,
      task,
      ...this.#issue(call),
      standing,
    } as const;
    const handled = await this.database.transaction(async (tx) => {
      const done = await this.#handle(call, command, tx);
      // A retry of the same request brings the same assertion; it gets the same session, to the same certificate's agent.
      if (!done.replayed) await this.assertions.useUp(verified, tx);
      return done;
    });
    const id_ = handled.streamId.slice('session-'.length);
    const { accessToken, tokenExpireTime } = handled.replayed
      ? await this.#freshToken(id_, call)
      : await this.#tokenOf(id_, handled.facts, call);
    const row = await this.#row(id_);
    return {
      session: sessionMessage(row),
      accessToken,
      tokenExpireTime,
      position: { source: 'session-broker', pos: BigInt(row.pos) },
    };
  }

  async issueToken({ assertion, sessionId }: IssueTokenRequest, call: Call): Promise<IssueTokenResponse> {
    check({ assertion: assertionRule(assertion), sessionId: id('ses', sessionId) });
    const verified = await this.assertions.verify(assertion, call);
    await this.database.transaction((tx) => this.assertions.useUp(verified, tx));
    const row = await this.#row(sessionId);
    const standing = await this.chains.standing(await this.chains.ofSession(row.opened), call.at);
    if (standing.lockId !== '')
      throw refuse('LOCKED', `lock \`${standing.lockId}\` is in force on somebody in the chain`);
    return {
      ...(await this.#freshToken(sessionId, call)),
      position: { source: 'session-broker', pos: BigInt(row.pos) },
    };
  }

  async endSession({ sessionId }: EndSessionRequest, call: Call): Promise<SessionMessage> {
    check({ sessionId: id('ses', sessionId) });
    await this.#mayEnd(await this.#row(sessionId), call);
    await this.#handle(call, {
      type: 'EndSession',
      sessionId,
      cause: SessionEndCause.SESSION_END_CAUSE_ENDED,
    });
    return sessionMessage(await this.#row(sessionId));
  }

  async getSession({ sessionId }: GetSessionRequest, call: Call): Promise<SessionMessage> {
    check({ sessionId: id('ses', sessionId) });
    const row = await this.#row(sessionId);
    if (call.caller.kind === 'agent' && row.opened.agentId !== call.caller.id)
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
    const page = this.pages.open(request, { list: 'sessions', filter, caller: call.actor });
    const rows = await this.sessions.list(page.after, page.size + 1, filter);
    const { rows: shown, nextPageToken } = page.cut(rows, (row) => row.opened.sessionId);
    return { sessions: shown.map(sessionMessage), nextPageToken };
  }

  async listSigningKeys(_: ListSigningKeysRequest): Promise<ListSigningKeysResponse> {
    const { keyId, jwk } = this.signer.registered;
    return { issuer: this.settings.tokenIssuer, keys: [{ keyId, jwk, addTime: undefined }] };
  }

  async #mayEnd({ opened }: SessionRow, { caller }: Call): Promise<void> {
    if (caller.id === opened.agentId || caller.id === opened.personId) return;
    const roles = caller.kind === 'person' ? await this.roles.rolesOf(caller.id) : new Set<Role>();
    if ((['operator', 'security', 'admin'] as const).some((role) => roles.has(role))) return;
    throw refuse(
      'NOT_YOUR_SESSION',
      `\`${opened.sessionId}\` is ended by its agent, its person, an operator or security`,
    );
  }

  #issue(call: Call) {
    return {
      tokenId: call.newId('tok'),
      keyId: this.tokens.keyId,
      certificateSha256: call.caller.certificateSha256,
      at: call.at,
    };
  }

  #handle(call: Call, command: SessionCommand, tx?: Tx) {
    const order = {
      decider: sessionDecider,
      facts: sessionFacts,
      streamId: `session-${command.sessionId}`,
      kind: 'session',
    };
    return this.commands.handle(
      { ...order, partKey: call.caller.kind === 'agent' ? call.caller.id : command.sessionId, command, call },
      tx,
    );
  }

  async #freshToken(sessionId: string, call: Call) {
    const command = { type: 'IssueToken', sessionId, agentId: call.caller.id, ...this.#issue(call) } as const;
    const { facts } = await this.#handle({ ...call, requestId: '' }, command);
    return this.#tokenOf(sessionId, facts, call);
  }

  async #tokenOf(sessionId: string, facts: readonly SessionEvent[], call: Call) {
    const issued = facts.find(
      (fact): fact is { type: 'TokenIssued'; data: TokenIssued } => fact.type === 'TokenIssued',
    )?.data;
    const { opened } = await this.#row(sessionId);
    const hops = await this.chains.ofSession(opened);
    if (issued === undefined || hops === undefined)
      throw new Error(`no token was issued for \`${sessionId}\``);
    return {
      accessToken: await this.tokens.make(opened, hops, issued, call.at),
      tokenExpireTime: issued.expireTime,
    };
  }

  async #row(sessionId: string): Promise<SessionRow> {
    const row = await this.sessions.find(sessionId);
    if (row === undefined) throw refuse('SESSION_UNKNOWN', `no session \`${sessionId}\``);
    return row;
  }
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
