import { Injectable } from '@nestjs/common';
import { type ConsumedFact, Reactions } from '@writ/event-bus';
import type { Tx } from '@writ/event-store';
import type { Call } from '@writ/kernel';
import { knowledgeSources, knownEventOf } from './knowledge.facts.js';
import { Knowledge } from './knowledge.js';
import { KNOWLEDGE_GROUP, KnowledgeStore } from './knowledge.store.js';
import { retentionOf } from './retention.js';

/** Copies the facts that decisions are made from into our own tables, exactly once, for every replica to read. */
@Injectable()
export class KnowledgeReactions extends Reactions {
  override readonly group = KNOWLEDGE_GROUP;
  override readonly sources = knowledgeSources;

  constructor(private readonly store: KnowledgeStore) {
    super();
  }

  /** Nest calls it before the first fact is consumed. */
  async onModuleInit(): Promise<void> {
    await this.store.prepare();
  }

  override async handle(fact: ConsumedFact, tx: Tx, call: Call): Promise<void> {
    await this.handleBatch([fact], tx, () => call);
  }

  override async handleBatch(
    facts: readonly ConsumedFact[],
    tx: Tx,
    callFor: (fact: ConsumedFact) => Call,
  ): Promise<void> {
    const [first] = facts;
    if (first === undefined) return;
    const known = facts.flatMap((fact) => {
      const event = knownEventOf(fact);
      if (event === undefined) return [];
      // A fact that replicas could not fold must not reach them: it is set aside, and its key denied.
      new Knowledge().apply(event, fact.at);
      return [{ fact, retention: retentionOf(event) }];
    });
    await this.store.add(tx, facts, known, callFor(first).at);
  }
}
