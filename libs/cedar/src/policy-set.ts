import { type Answer, type PolicyError, refusal } from './answer.js';
import { Entities } from './entities.js';
import { EvaluationError } from './evaluation-error.js';
import type { Frame } from './frame.js';
import type { Policy } from './policy.js';
import { PolicyIndex } from './policy-index.js';
import type { PolicyJson } from './policy-json.js';
import type { PolicySource } from './policy-source.js';
import { type PreparedSource, prepareSource } from './prepared-source.js';
import { CedarRecord } from './value.js';
import { InvalidInput, readUid, readValue } from './value-json.js';

/** One question. */
export interface Request {
  /** `{type, id}` or an `EntityUid`. */
  readonly principal: unknown;
  readonly action: unknown;
  readonly resource: unknown;
  /** Attributes by name, as JSON; integers beyond 2^53 as `bigint`. */
  readonly context?: unknown;
  /** Prepared by the same set, or a list of entities as JSON, which is then read for this question. */
  readonly entities?: Entities | readonly unknown[];
}

export interface PolicyDescription {
  readonly id: string;
  readonly effect: 'permit' | 'forbid';
  readonly annotations: Readonly<Record<string, string>>;
  /** The policy, or the template that it is a link of. */
  readonly text: string;
  /** The same as the reference writes it in JSON. */
  readonly json: PolicyJson;
}

const noErrors: readonly PolicyError[] = [];

/** Policies ready to be asked. It never changes: a new version is prepared beside it and takes its place by one assignment. */
export class PolicySet {
  readonly #index: PolicyIndex<Policy>;
  readonly #noEntities: Entities;
  /** What entities were read from, where the reference may have to read them too. */
  readonly #json = new WeakMap<Entities, readonly unknown[]>();
  /** The policies that the reference evaluates because the compiler does not take them. */
  readonly referencePolicyIds: readonly string[];
  #evaluatedByReference = 0;
  #isReleased = false;

  private constructor(private readonly source: PreparedSource) {
    this.#index = new PolicyIndex(source.policies);
    this.referencePolicyIds = source.policies.flatMap(({ id, reference }) =>
      reference === undefined ? [] : [id],
    );
    this.#noEntities = this.entities([]);
  }

  /**
   * Parses and compiles. Of a previous set, whatever has the same text is taken over.
   *
   * @throws InvalidSource when policies, links or the schema cannot be used
   */
  static prepare(source: PolicySource, previous?: PolicySet): PolicySet {
    return new PolicySet(prepareSource(source, previous?.source));
  }

  /** Entities to ask this set with, read and checked once. @throws InvalidInput */
  entities(json: readonly unknown[]): Entities {
    const entities = Entities.read(json, this.source.schema);
    // A copy: what is compiled and what the reference reads must be the same, whatever becomes of the list.
    if (this.referencePolicyIds.length > 0) this.#json.set(entities, structuredClone(json));
    return entities;
  }

  /** Decides. What is wrong with the question itself is an error of the answer, which is then a deny. */
  evaluate(request: Request): Answer {
    try {
      return this.#decide(this.#frameOf(request), request);
    } catch (thrown) {
      if (!(thrown instanceof InvalidInput)) throw thrown;
      return refusal(thrown.message);
    }
  }

  /** What the policies are, in the order of the set. */
  get policies(): readonly PolicyDescription[] {
    return this.source.policies.map(({ id, effect, annotations, text, json }) => ({
      id,
      effect,
      annotations,
      text,
      json,
    }));
  }

  /** How often the reference was asked about one. */
  get evaluatedByReference(): number {
    return this.#evaluatedByReference;
  }

  /** Frees what the reference holds. From then on every question is refused. */
  release(): void {
    this.#isReleased = true;
    for (const { reference } of this.source.policies) reference?.release();
  }

  #frameOf({ principal, action, resource, context = {}, entities }: Request): Frame {
    if (this.#isReleased) throw new InvalidInput('the policy set is released');
    const uids = {
      principal: readUid(principal, 'the principal'),
      action: readUid(action, 'the action'),
      resource: readUid(resource, 'the resource'),
    };
    return {
      ...uids,
      context: this.#contextOf(uids, context),
      entities: this.#entitiesOf(entities),
    };
  }

  #entitiesOf(entities: Request['entities']): Entities {
    if (entities === undefined) return this.#noEntities;
    if (!(entities instanceof Entities)) return this.entities(entities);
    if (entities.schema === this.source.schema) return entities;
    throw new InvalidInput('the entities were read with another schema');
  }

  #contextOf(uids: Pick<Frame, 'principal' | 'action' | 'resource'>, json: unknown): CedarRecord {
    const { schema } = this.source;
    if (schema !== undefined) return schema.readRequest({ ...uids, context: json });
    const context = readValue(json);
    if (context instanceof CedarRecord) return context;
    throw new InvalidInput('the context is no record');
  }

  #decide(frame: Frame, request: Request): Answer {
    const permits: Policy[] = [];
    const forbids: Policy[] = [];
    let errors: PolicyError[] | undefined;
    for (const candidates of this.#index.candidates(frame))
      for (const policy of candidates)
        try {
          if (this.#applies(policy, frame, request))
            (policy.effect === 'permit' ? permits : forbids).push(policy);
        } catch (thrown) {
          if (!(thrown instanceof EvaluationError)) throw thrown;
          errors ??= [];
          errors.push({ policyId: policy.id, message: thrown.message });
        }
    const isAllowed = forbids.length === 0 && permits.length > 0;
    return {
      decision: isAllowed ? 'allow' : 'deny',
      reasons: idsOf(isAllowed ? permits : forbids),
      errors: errors ?? noErrors,
    };
  }

  #applies({ inScope, conditions, reference }: Policy, frame: Frame, request: Request): boolean {
    if (inScope !== undefined && !inScope(frame)) return false;
    if (reference === undefined) return conditions === undefined || conditions(frame);
    const entities = this.#json.get(frame.entities);
    if (entities === undefined) throw new InvalidInput('the entities were read by another policy set');
    this.#evaluatedByReference += 1;
    return reference.applies({ ...frame, context: request.context ?? {}, entities });
  }
}

function idsOf(policies: readonly Policy[]): readonly string[] {
  if (policies.length > 1) return policies.toSorted((a, b) => a.order - b.order).map(({ id }) => id);
  return policies.map(({ id }) => id);
}
