import { Injectable } from '@nestjs/common';
import { Database } from '@writ/event-store';
import { FoldView } from '../fold.view.js';
import { blueprintFacts } from './blueprint.facts.js';
import { type Blueprint, type BlueprintCommand, type BlueprintEvent, blueprintDecider } from './blueprint.js';

@Injectable()
export class BlueprintView extends FoldView<Blueprint, BlueprintCommand, BlueprintEvent> {
  constructor(database: Database) {
    super(database, {
      table: 'blueprint',
      kind: 'blueprint',
      decider: blueprintDecider,
      facts: blueprintFacts,
      columns: ['status'],
      columnsOf: ({ status }) => ({ status }),
    });
  }
}
