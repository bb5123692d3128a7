import { Injectable } from '@nestjs/common';
import { detailsFromMessages, limitsFromMessage, MAX_DEPTH } from '@writ/authority';
import {
  type GetMandateRequest,
  type GrantMandateRequest,
  type ListMandatesRequest,
  type ListMandatesResponse,
  type Mandate as MandateMessage,
  MandateServiceService,
  MandateState,
  type RevokeMandateRequest,
} from '@writ/contracts/writ/session/v1/mandate.js';
import { CommandHandler } from '@writ/event-store';
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
import { Sights, sees, sightAccess } from '../sight.js';
import { mandateFacts } from './mandate.facts.js';
import { type MandateCommand, mandateDecider, refuse } from './mandate.js';
import { type MandateRow, MandateView } from './mandate.view.js';

export const mandateAccess = {
  grantMandate: ['role:sponsor', 'role:operator', 'role:admin'],
  getMandate: sightAccess,
  listMandates: sightAccess,
  revokeMandate: ['role:sponsor', 'role:operator', 'role:security', 'role:admin'],
} as const satisfies Access<typeof MandateServiceService>;

@Injectable()
export class MandateRpc implements Calls<typeof MandateServiceService> {
  static readonly service = MandateServiceService;
  static readonly access = mandateAccess;

  constructor(
    private readonly commands: CommandHandler,
    private readonly mandates: MandateView,
    private readonly parties: PartyDirectory,
    private readonly sights: Sights,
    private readonly pages: Pages,
  ) {}

  async grantMandate(request: GrantMandateRequest, call: Call): Promise<MandateMessage> {
    const { agentId, purpose, expireTime, maxDepth } = request;
    check({
      agentId: id('agt', agentId),
      purpose: text(purpose, { max: 500 }),
      authorizationDetails: required(request.authorizationDetails),
      expireTime: timestamp(expireTime),
      maxDepth: integer(maxDepth, { min: 0, max: MAX_DEPTH }),
    });
    const mandateId = call.newId('mdt');
    const agent = await this.parties.agentSoon(agentId);
    const command = {
      type: 'GrantMandate',
      at: call.at,
      mandateId,
      personId: call.caller.id,
      agentId,
      agentStatus: agent === undefined ? 'unknown' : agent.retired ? 'retired' : 'known',
      purpose,
      details: detailsFromMessages(request.authorizationDetails),
      limits: limitsFromMessage(request.limits),
      expiresAt: expireTime ?? call.at,
      maxDepth,
    } as const;
    return this.#change(call, command, mandateId, agentId, '');
  }

  async getMandate({ mandateId }: GetMandateRequest, call: Call): Promise<MandateMessage> {
    check({ mandateId: id('mdt', mandateId) });
    const row = await this.mandates.find(mandateId);
    const sight = await this.sights.of(call);
    if (row === undefined || !sees(sight, { ...row.granted, agentIds: [row.granted.agentId] }))
      throw refuse('MANDATE_UNKNOWN', `no mandate \`${mandateId}\``);
    return mandateMessage(row);
  }

  async listMandates(request: ListMandatesRequest, call: Call): Promise<ListMandatesResponse> {
    const { agentId, personId } = request;
    check({
      agentId: optional(agentId, id('agt', agentId)),
      personId: optional(personId, id('psn', personId)),
    });
    const page = this.pages.open(request, { list: 'mandates', agentId, personId, caller: call.actor });
    const rows = await this.mandates.list(page, { agentId, personId }, await this.sights.of(call));
    const { rows: shown, nextPageToken } = page.cut(rows, (row) => row.granted.mandateId);
    return { mandates: shown.map(mandateMessage), nextPageToken };
  }

  async revokeMandate(
    { mandateId, reason, etag }: RevokeMandateRequest,
    call: Call,
  ): Promise<MandateMessage> {
    check({ mandateId: id('mdt', mandateId), reason: text(reason, { max: 500 }) });
    const mayRevokeAny = await this.sights.holdsAny(call.caller.id, ['security', 'admin']);
    const command = {
      type: 'RevokeMandate',
      mandateId,
      reason,
      personId: call.caller.id,
      mayRevokeAny,
    } as const;
    const agentId = (await this.mandates.find(mandateId))?.granted.agentId ?? mandateId;
    return this.#change(call, command, mandateId, agentId, etag);
  }

  async #change(
    call: Call,
    command: MandateCommand,
    mandateId: string,
    partKey: string,
    expectedEtag: string,
  ) {
    const order = {
      decider: mandateDecider,
      facts: mandateFacts,
      streamId: `mandate-${mandateId}`,
      kind: 'mandate',
    };
    const { streamId } = await this.commands.handle({ ...order, partKey, command, call, expectedEtag });
    const row = await this.mandates.find(streamId.slice('mandate-'.length));
    if (row === undefined) throw new Error(`mandate of \`${streamId}\` is not in its view`);
    return mandateMessage(row);
  }
}

function mandateMessage({ granted, revoked, grantedAt, etag }: MandateRow): MandateMessage {
  const state = revoked ? MandateState.MANDATE_STATE_REVOKED : MandateState.MANDATE_STATE_ACTIVE;
  return { ...granted, name: `mandates/${granted.mandateId}`, state, grantTime: grantedAt, etag };
}
