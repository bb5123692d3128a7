import { BlueprintDefined, BlueprintRetired } from '@writ/contracts/writ/registry/v1/blueprint_facts.js';
import type { Facts } from '@writ/event-store';
import type { BlueprintEvent } from './blueprint.js';

export const blueprintFacts: Facts<BlueprintEvent> = { BlueprintDefined, BlueprintRetired };
