import { Injectable } from '@nestjs/common';
import {
  detailsFromMessages,
  detailToMessage,
  type Grant,
  limitsFromMessage,
  limitsToMessage,
  MAX_DEPTH,
} from '@writ/authority';
import {
  type DelegateRequest,
  type Delegation as DelegationMessage,
  DelegationServiceService,
  DelegationState,
  type GetDelegationRequest,
  type ListDelegationsRequest,
  type ListDelegationsResponse,
  type RevokeDelegationRequest,
} from '@writ/contracts/writ/session/v1/delegation.js';
import { CommandHandler, Database } from '@writ/event-store';
import type { Call } from '@writ/kernel';
import {
  type Access,
  type Calls,
  check,
  id,
  integer,
  optional,
  Pages,
  required,
  text,
  timestamp,
} from '@writ/service';
import { PartyDirectory } from '../party/party.store.js';
import { agentsOf, grantOf, isLive } from '../session/chain.js';
import type { Standing } from '../session/session.js';
import { type SessionRow, SessionView } from '../session/session.view.js';
import { SessionChain } from '../session/session-chain.store.js';
import { SessionTokens } from '../session/session-token.store.js';
import { Sights, sees, sightAccess } from '../sight.js';
import { delegationFacts } from './delegation.facts.js';
import { type DelegationCommand, delegationDecider, refuse } from './delegation.js';
import { type DelegationRow, DelegationView } from './delegation.view.js';

export const delegationAccess = {
  delegate: ['agent'],
  getDelegation: sightAccess,
  listDelegations: sightAccess,
  revokeDelegation: ['agent', 'role:sponsor', 'role:operator', 'role:security', 'role:admin'],
} as const satisfies Access<typeof DelegationServiceService>;

@Injectable()
export class DelegationRpc implements Calls<typeof DelegationServiceService> {
  static readonly service = DelegationServiceService;
  static readonly access = delegationAccess;

  constructor(
    private readonly database: Database,
    private readonly commands: CommandHandler,
    private readonly delegations: DelegationView,
    private readonly sessions: SessionView,
    private readonly chains: SessionChain,
    private readonly tokens: SessionTokens,
    private readonly parties: PartyDirectory,
    private readonly sights: Sights,
    private readonly pages: Pages,
  ) {}

  async delegate(request: DelegateRequest, call: Call): Promise<DelegationMessage> {
    const { token, delegateAgentId, expireTime, maxDepth } = request;
    check({
      token: required(token),
      delegateAgentId: id('agt', delegateAgentId),
      authorizationDetails: required(request.authorizationDetails),
      expireTime: timestamp(expireTime),
      maxDepth: integer(maxDepth, { min: 0, max: MAX_DEPTH }),
    });
    const claims = this.tokens.verify(token, call);
    // Before all else, as it may be waited for.
    const delegates = await this.parties.activeSoon([delegateAgentId]);
    const session = await this.sessions.find(claims.sid);
    const hops = session && (await this.chains.ofSession(session.opened));
    if (session === undefined || hops === undefined)
      throw refuse('AUTHORITY_ENDED', 'the session of this token is unknown here');
    const live = inForce(session, await this.chains.standing(hops, call.at, claims.sid), call.at);
    const details = detailsFromMessages(request.authorizationDetails);
    const parent = grantOf(hops);
    // Who says nothing of limits hands on those it has; whoever names some must not name wider ones.
    const limits = request.limits === undefined ? parent.limits : limitsFromMessage(request.limits);
    const { purpose, mandateId } = session.opened;
    const grant: Grant = { purpose, details, limits, expiresAt: expireTime ?? call.at, maxDepth };
    const delegationId = call.newId('dlg');
    const delegation = {
      delegationId,
      mandateId,
      parentDelegationId: session.opened.delegationIds.at(-1) ?? '',
      depth: session.opened.delegationIds.length + 1,
      delegatorAgentId: call.caller.id,
      delegateAgentId,
      sessionId: claims.sid,
      purpose,
      authorizationDetails: details.map(detailToMessage),
      limits: limitsToMessage(limits),
      expireTime,
      maxDepth,
    };
    const above = { grant: parent, agentIds: agentsOf(hops), live };
    const delegateActive = delegates.get(delegateAgentId)?.active ?? false;
    return this.#make(call, { type: 'Delegate', delegation, grant, above, delegateActive, at: call.at });
  }

  async getDelegation({ delegationId }: GetDelegationRequest, call: Call): Promise<DelegationMessage> {
    check({ delegationId: id('dlg', delegationId) });
    const row = await this.delegations.find(delegationId);
    if (row === undefined || !(await this.#sees(row, call)))
      throw refuse('DELEGATION_UNKNOWN', `no delegation \`${delegationId}\``);
    return delegationMessage(row);
  }

  async listDelegations(request: ListDelegationsRequest, call: Call): Promise<ListDelegationsResponse> {
    const { mandateId, agentId } = request;
    check({
      mandateId: optional(mandateId, id('mdt', mandateId)),
      agentId: optional(agentId, id('agt', agentId)),
    });
    const page = this.pages.open(request, { list: 'delegations', mandateId, agentId, caller: call.actor });
    const rows = await this.delegations.list(
      page.after,
      page.size + 1,
      { mandateId, agentId },
      await this.sights.of(call),
    );
    const { rows: shown, nextPageToken } = page.cut(rows, (row) => row.made.delegationId);
    return { delegations: shown.map(delegationMessage), nextPageToken };
  }

  async revokeDelegation(
    { delegationId, reason, etag }: RevokeDelegationRequest,
    call: Call,
  ): Promise<DelegationMessage> {
    check({ delegationId: id('dlg', delegationId), reason: text(reason, { max: 500 }) });
    const row = await this.delegations.find(delegationId);
    if (row !== undefined) await this.#mayRevoke(row, call);
    const partKey = row?.made.delegatorAgentId ?? delegationId;
    return this.#change(
      call,
      { type: 'RevokeDelegation', delegationId, reason },
      delegationId,
      partKey,
      etag,
    );
  }

  async #sees({ made }: DelegationRow, call: Call): Promise<boolean> {
    const agentIds = [made.delegatorAgentId, made.delegateAgentId];
    const personId = await this.#personAtRoot(made.mandateId);
    return sees(await this.sights.of(call), { agentIds, personId });
  }

  async #personAtRoot(mandateId: string): Promise<string> {
    return (await this.chains.underMandate(mandateId))?.mandate.granted.personId ?? '';
  }

  /** The agent that made it; the person at the root; operators, security and admins. */
  async #mayRevoke({ made }: DelegationRow, { caller }: Call): Promise<void> {
    if (caller.id === made.delegatorAgentId) return;
    const isPerson = caller.kind === 'person';
    if (isPerson && (await this.sights.holdsAny(caller.id, ['operator', 'security', 'admin']))) return;
    if (caller.id === (await this.#personAtRoot(made.mandateId))) return;
    throw refuse(
      'NOT_THE_DELEGATOR',
      `\`${made.delegationId}\` is revoked by who made it, by the person at its root or by security`,
    );
  }

  /** A retry is answered with what was made, whatever has ended since. */
  async #make(call: Call, command: Extract<DelegationCommand, { type: 'Delegate' }>) {
    const { delegationId, sessionId } = command.delegation;
    const order = { ...orderOf(delegationId), partKey: call.caller.id, command, call };
    const streamId = await this.database.transaction(async (tx) => {
      const made = await this.commands.handle(order, tx);
      if (made.replayed) return made.streamId;
      // Somebody may have been stopped since the command was prepared; throwing undoes it.
      const session = await this.sessions.find(sessionId, tx);
      const standing = session && (await this.chains.standingIn(tx, session.opened, call.at));
      if (session === undefined || standing === undefined || !inForce(session, standing, call.at))
        throw refuse('AUTHORITY_ENDED', 'the session or what it works under has just ended');
      return made.streamId;
    });
    return this.#message(streamId);
  }

  async #change(
    call: Call,
    command: DelegationCommand,
    delegationId: string,
    partKey: string,
    expectedEtag: string,
  ) {
    const order = { ...orderOf(delegationId), partKey, command, call, expectedEtag };
    const { streamId } = await this.commands.handle(order);
    return this.#message(streamId);
  }

  async #message(streamId: string): Promise<DelegationMessage> {
    const row = await this.delegations.find(streamId.slice('delegation-'.length));
    if (row === undefined) throw new Error(`delegation of \`${streamId}\` is not in its view`);
    return delegationMessage(row);
  }
}

const orderOf = (delegationId: string) => ({
  decider: delegationDecider,
  facts: delegationFacts,
  streamId: `delegation-${delegationId}`,
  kind: 'delegation',
});

/** Whether a session may hand anything on: it is open, its hops hold, and nobody in them is stopped. */
function inForce(session: SessionRow, standing: Standing, at: Date): boolean {
  const { hops, lockId, inactiveAgentIds, personActive } = standing;
  const stands = lockId === '' && inactiveAgentIds.length === 0 && personActive;
  return stands && session.endCause === 0 && hops !== undefined && isLive(hops, at);
}

function delegationMessage({ made, revoked, madeAt, etag }: DelegationRow): DelegationMessage {
  const state = revoked ? DelegationState.DELEGATION_STATE_REVOKED : DelegationState.DELEGATION_STATE_ACTIVE;
  return { ...made, name: `delegations/${made.delegationId}`, state, delegateTime: madeAt, etag };
}
