import type { Provenance, Sensitivity } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import type { BlueprintDefined, BlueprintRetired } from '@writ/contracts/writ/registry/v1/blueprint_facts.js';
import { type Decider, refusals, unreachable } from '@writ/kernel';

export type BlueprintEvent =
  | { type: 'BlueprintDefined'; data: BlueprintDefined }
  | { type: 'BlueprintRetired'; data: BlueprintRetired };

export type BlueprintCommand =
  | {
      type: 'DefineBlueprint';
      blueprintId: string;
      displayName: string;
      owner: string;
      provenance: Provenance;
      sensitivityMax: Sensitivity;
    }
  | { type: 'RetireBlueprint'; blueprintId: string };

export interface Blueprint {
  readonly status: 'unknown' | 'active' | 'retired';
  readonly definition: BlueprintDefined | undefined;
}

export const refuse = refusals({
  BLUEPRINT_UNKNOWN: 'not-found',
  BLUEPRINT_ALREADY_DEFINED: 'conflict',
});

function decide(command: BlueprintCommand, blueprint: Blueprint): readonly BlueprintEvent[] {
  const { blueprintId } = command;
  switch (command.type) {
    case 'DefineBlueprint': {
      if (blueprint.status !== 'unknown') {
        throw refuse('BLUEPRINT_ALREADY_DEFINED', `blueprint \`${blueprintId}\` is already defined`);
      }
      const { displayName, owner, provenance, sensitivityMax } = command;
      return [
        { type: 'BlueprintDefined', data: { blueprintId, displayName, owner, provenance, sensitivityMax } },
      ];
    }
    case 'RetireBlueprint':
      if (blueprint.status === 'unknown')
        throw refuse('BLUEPRINT_UNKNOWN', `no blueprint \`${blueprintId}\``);
      return blueprint.status === 'retired' ? [] : [{ type: 'BlueprintRetired', data: { blueprintId } }];
    default:
      return unreachable(command);
  }
}

function evolve(blueprint: Blueprint, event: BlueprintEvent): Blueprint {
  switch (event.type) {
    case 'BlueprintDefined':
      return { status: 'active', definition: event.data };
    case 'BlueprintRetired':
      return { ...blueprint, status: 'retired' };
    default:
      return unreachable(event);
  }
}

export const blueprintDecider: Decider<Blueprint, BlueprintCommand, BlueprintEvent> = {
  initialState: () => ({ status: 'unknown', definition: undefined }),
  decide,
  evolve,
};
