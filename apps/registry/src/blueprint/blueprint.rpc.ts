import { Injectable } from '@nestjs/common';
import { Sensitivity } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import {
  type Blueprint as BlueprintMessage,
  BlueprintServiceService,
  BlueprintState,
  type DefineBlueprintRequest,
  type GetBlueprintRequest,
  type ListBlueprintsRequest,
  type ListBlueprintsResponse,
  type RetireBlueprintRequest,
} from '@writ/contracts/writ/registry/v1/blueprint.js';
import { CommandHandler } from '@writ/event-store';
import type { Call } from '@writ/kernel';
import { type Access, type Calls, check, enumValue, id, Pages, text } from '@writ/service';
import { noProvenance } from '../agent/agent-state.js';
import type { Row } from '../fold.view.js';
import { provenanceProblems } from '../provenance-fields.js';
import { blueprintFacts } from './blueprint.facts.js';
import { type Blueprint, blueprintDecider, refuse } from './blueprint.js';
import { BlueprintView } from './blueprint.view.js';

export const blueprintAccess = {
  defineBlueprint: ['role:admin', 'role:operator'],
  getBlueprint: ['role:admin', 'role:operator', 'role:sponsor', 'role:auditor', 'role:security'],
  listBlueprints: ['role:admin', 'role:operator', 'role:sponsor', 'role:auditor', 'role:security'],
  retireBlueprint: ['role:admin', 'role:operator'],
} as const satisfies Access<typeof BlueprintServiceService>;

@Injectable()
export class BlueprintRpc implements Calls<typeof BlueprintServiceService> {
  static readonly service = BlueprintServiceService;
  static readonly access = blueprintAccess;

  constructor(
    private readonly commands: CommandHandler,
    private readonly blueprints: BlueprintView,
    private readonly pages: Pages,
  ) {}

  async defineBlueprint(request: DefineBlueprintRequest, call: Call): Promise<BlueprintMessage> {
    const { displayName, owner, sensitivityMax } = request;
    const provenance = request.provenance ?? noProvenance;
    check({
      displayName: text(displayName, { max: 200 }),
      owner: text(owner, { max: 200 }),
      sensitivityMax: enumValue(Sensitivity, sensitivityMax),
      ...provenanceProblems(provenance),
    });
    const blueprintId = call.newId('bpr');
    const { streamId } = await this.commands.handle({
      decider: blueprintDecider,
      facts: blueprintFacts,
      streamId: `blueprint-${blueprintId}`,
      kind: 'blueprint',
      partKey: blueprintId,
      command: { type: 'DefineBlueprint', blueprintId, displayName, owner, provenance, sensitivityMax },
      call,
    });
    return this.#message(streamId.slice('blueprint-'.length));
  }

  async getBlueprint({ blueprintId }: GetBlueprintRequest): Promise<BlueprintMessage> {
    check({ blueprintId: id('bpr', blueprintId) });
    return this.#message(blueprintId);
  }

  async listBlueprints(request: ListBlueprintsRequest, call: Call): Promise<ListBlueprintsResponse> {
    const page = this.pages.open(request, { list: 'blueprints', caller: call.actor });
    const { rows, nextPageToken } = page.cut(await this.blueprints.list(page, {}), (row) => row.id);
    return { blueprints: rows.map(blueprintMessage), nextPageToken };
  }

  async retireBlueprint(
    { blueprintId, etag }: RetireBlueprintRequest,
    call: Call,
  ): Promise<BlueprintMessage> {
    check({ blueprintId: id('bpr', blueprintId) });
    await this.commands.handle({
      decider: blueprintDecider,
      facts: blueprintFacts,
      streamId: `blueprint-${blueprintId}`,
      kind: 'blueprint',
      partKey: blueprintId,
      command: { type: 'RetireBlueprint', blueprintId },
      call,
      expectedEtag: etag,
    });
    return this.#message(blueprintId);
  }

  async #message(blueprintId: string): Promise<BlueprintMessage> {
    const row = await this.blueprints.find(blueprintId);
    if (row === undefined) throw refuse('BLUEPRINT_UNKNOWN', `no blueprint \`${blueprintId}\``);
    return blueprintMessage(row);
  }
}

function blueprintMessage({ id: blueprintId, state, etag, firstAt }: Row<Blueprint>): BlueprintMessage {
  const { definition, status } = state;
  return {
    name: `blueprints/${blueprintId}`,
    blueprintId,
    displayName: definition?.displayName ?? '',
    owner: definition?.owner ?? '',
    provenance: definition?.provenance ?? noProvenance,
    sensitivityMax: definition?.sensitivityMax ?? Sensitivity.SENSITIVITY_UNSPECIFIED,
    state:
      status === 'retired' ? BlueprintState.BLUEPRINT_STATE_RETIRED : BlueprintState.BLUEPRINT_STATE_ACTIVE,
    defineTime: firstAt,
    etag,
  };
}
