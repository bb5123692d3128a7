import { Injectable } from '@nestjs/common';
import { Sensitivity } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { Role } from '@writ/contracts/writ/registry/v1/person_facts.js';
import { BlueprintView } from '../blueprint/blueprint.view.js';
import { PersonView } from '../person/person.view.js';
import type { Family, Sponsor } from './agent.js';

/** Looks up the people and blueprints that an agent's rules ask about. */
@Injectable()
export class AgentParties {
  constructor(
    private readonly people: PersonView,
    private readonly blueprints: BlueprintView,
  ) {}

  async sponsor(personId: string): Promise<Sponsor> {
    const person = (await this.people.find(personId))?.state;
    return {
      personId,
      active: person?.status === 'active',
      maySponsor: person?.roles.includes(Role.ROLE_SPONSOR) ?? false,
    };
  }

  /** An unknown blueprint is as good as a retired one. */
  async family(blueprintId: string): Promise<Family> {
    const blueprint = (await this.blueprints.find(blueprintId))?.state;
    return {
      blueprintId,
      active: blueprint?.status === 'active',
      sensitivityMax: blueprint?.definition?.sensitivityMax ?? Sensitivity.SENSITIVITY_UNSPECIFIED,
    };
  }
}
