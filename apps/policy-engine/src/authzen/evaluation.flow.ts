import { Injectable } from '@nestjs/common';
import { type Call, Refusal } from '@writ/kernel';
import type { Problem } from '@writ/service';
import { type Asked, Decisions } from '../decision/decision.flow.js';
import { PresentedTokens } from '../decision/presented-token.store.js';
import { questionProblems } from '../decision/question.message.js';
import {
  endsWith,
  type Proof,
  readAction,
  readAgent,
  readBatch,
  readProof,
  refuse,
  type Semantic,
  tupleOf,
  withDefaults,
} from './authzen.js';
import { type EvaluationJson, errorJson, evaluationJson } from './authzen.message.js';
import { invalid, isMembers, MemberReader, type Members } from './members.js';

/** Decides what the Authorization API asks, as `Decide` and `DecideBatch` do: recorded, and durable before an allow leaves. */
@Injectable()
export class Evaluations {
  constructor(
    private readonly decisions: Decisions,
    private readonly tokens: PresentedTokens,
  ) {}

  async one(body: Members, call: Call): Promise<EvaluationJson> {
    return evaluationJson(await this.decisions.decide(await this.#read(body, call), call));
  }

  async many(
    body: Members,
    call: Call,
  ): Promise<EvaluationJson | { evaluations: readonly EvaluationJson[] }> {
    const { items, semantic } = readBatch(new MemberReader(), body);
    if (items === undefined) return this.one(body, call);
    const asks = items.map((item) => () => this.#among(item, body, call));
    const evaluations =
      semantic === 'execute_all' ? await Promise.all(asks.map((ask) => ask())) : await inTurn(asks, semantic);
    return { evaluations };
  }

  /** What is wrong with one evaluation is its own answer; the others have theirs, and those are recorded. */
  async #among(item: unknown, defaults: Members, call: Call): Promise<EvaluationJson> {
    try {
      if (!isMembers(item))
        throw invalid([{ field: 'evaluations', description: 'must be a list of objects' }]);
      const asked = await this.#read(withDefaults(item, defaults), call);
      return evaluationJson(await this.decisions.decideAmong(asked, call));
    } catch (cause) {
      if (cause instanceof Refusal) return errorJson(cause);
      throw cause;
    }
  }

  async #read(members: Members, call: Call): Promise<Asked> {
    const reader = new MemberReader();
    const tuple = tupleOf(reader, members);
    const agentId = readAgent(reader, tuple);
    const proof = readProof(reader, tuple);
    proofProblems(reader, proof, call);
    const action = readAction(reader, tuple);
    reader.end();
    if (action === undefined) throw new Error('an action without a fault was not read');
    const claims = await this.tokens.read(proof.token, proof.presentedCertificateSha256, call);
    if (claims.client_id !== agentId)
      throw refuse('SUBJECT_MISMATCH', `\`subject.id\` must be \`${claims.client_id}\`, whose token this is`);
    const { approvalId, requestId } = proof;
    const atLeast = proof.atLeast.map(({ source, pos }) => ({ source, pos: Number(pos) }));
    return { claims, action, approvalId, atLeast, requestId };
  }
}

/** One after the other: what follows the answer that ends it is neither decided nor recorded. */
async function inTurn(
  asks: readonly (() => Promise<EvaluationJson>)[],
  semantic: Semantic,
): Promise<readonly EvaluationJson[]> {
  const answers: EvaluationJson[] = [];
  for (const ask of asks) {
    const answer = await ask();
    answers.push(answer);
    if (endsWith(semantic, answer.decision)) break;
  }
  return answers;
}

/** The rules of `Decide` for the same fields, named as they are called here. */
export function proofProblems(reader: MemberReader, proof: Proof, call: Call): void {
  if (reader.violations.some(({ field }) => field === 'context')) return;
  const problems: Record<string, Problem> = questionProblems({ ...proof, action: proof }, call, 'context.');
  for (const [field, description] of Object.entries(problems))
    if (description !== undefined) reader.wrong(field, description);
}
