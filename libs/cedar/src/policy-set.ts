import { Entities } from './entities.js';
import type { EntityUid } from './entity-uid.js';
import { EvaluationError } from './evaluation-error.js';
import type { Frame } from './frame.js';
import { compileBody, type Policy, type PolicyBody, policyOf } from './policy.js';
import { PolicyIndex } from './policy-index.js';
import { UnknownForm } from './policy-json.js';
import { type NamedPart, namedParts, type PolicySource } from './policy-source.js';
import { policyProblems, schemaJsonOf, tooLarge } from './reference.provider.js';
import { Schema } from './schema.js';
import { InvalidSource, problemAt } from './source-problem.js';
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

export interface PolicyError {
  /** The policy that was skipped; undefined where the question itself was refused. */
  readonly policyId: string | undefined;
  readonly message: string;
}

export interface Answer {
  /** `allow` when a permit applies and no forbid does. Callers who fail closed also deny where there are errors. */
  readonly decision: 'allow' | 'deny';
  /** The policies that decided, in the order of the set: permits of an allow, forbids of a deny, none where nothing applied. */
  readonly reasons: readonly string[];
  readonly errors: readonly PolicyError[];
}

const noErrors: readonly PolicyError[] = [];

/** Policies ready to be asked. It never changes: a new version is prepared beside it and takes its place by one assignment. */
export class PolicySet {
  readonly #index: PolicyIndex<Policy>;
  readonly #noEntities: Entities;
  #evaluatedByReference = 0;

  private constructor(
    private readonly policies: readonly Policy[],
    /** By text, to be taken over by the next version. */
    private readonly bodies: ReadonlyMap<string, PolicyBody>,
    private readonly schema: Schema | undefined,
  ) {
    this.#index = new PolicyIndex(policies);
    this.#noEntities = Entities.read([], schema);
  }

  /**
   * Parses and compiles. Of a previous set, whatever has the same text is taken over.
   *
   * @throws InvalidSource when policies, links or the schema cannot be used
   */
  static prepare(source: PolicySource, previous?: PolicySet): PolicySet {
    const schema = source.schema === undefined ? undefined : new Schema(schemaJsonOf(source.schema));
    const parts = namedParts(source.policies);
    const bodies = compiled(parts, source, previous?.bodies);
    const named = new Map(parts.map(({ id, part }) => [id, bodies.get(part.text) as PolicyBody]));
    return new PolicySet(policiesOf(named, source), bodies, schema);
  }

  /** Entities to ask with, read and checked once. @throws InvalidInput */
  entities(json: unknown): Entities {
    return Entities.read(json, this.schema);
  }

  /** Decides. What is wrong with the question itself is an error of the answer, which is then a deny. */
  evaluate(request: Request): Answer {
    try {
      return this.#decide(this.#frameOf(request), request);
    } catch (thrown) {
      if (!(thrown instanceof InvalidInput)) throw thrown;
      return {
        decision: 'deny',
        reasons: [],
        errors: [{ policyId: undefined, message: thrown.message }],
      };
    }
  }

  /** The policies that the reference evaluates because the compiler does not take them. */
  get referencePolicyIds(): readonly string[] {
    return this.policies.flatMap(({ id, reference }) => (reference === undefined ? [] : [id]));
  }

  /** How often the reference was asked about one. */
  get evaluatedByReference(): number {
    return this.#evaluatedByReference;
  }

  /** Frees what the reference holds. The set must not be asked again. */
  release(): void {
    for (const { reference } of this.policies) reference?.release();
  }

  #frameOf({ principal, action, resource, context = {}, entities }: Request): Frame {
    const uids = {
      principal: readUid(principal, 'the principal'),
      action: readUid(action, 'the action'),
      resource: readUid(resource, 'the resource'),
    };
    return {
      ...uids,
      context: this.#contextOf(uids, context),
      entities: entities instanceof Entities ? entities : this.#entitiesOf(entities),
    };
  }

  #entitiesOf(json: readonly unknown[] | undefined): Entities {
    return json === undefined || json.length === 0 ? this.#noEntities : this.entities(json);
  }

  #contextOf(uids: Pick<Frame, 'principal' | 'action' | 'resource'>, json: unknown): CedarRecord {
    if (this.schema !== undefined) return this.schema.readRequest({ ...uids, context: json });
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
    this.#evaluatedByReference += 1;
    return reference.applies({ ...frame, context: request.context ?? {}, entities: frame.entities.json });
  }
}

function idsOf(policies: readonly Policy[]): readonly string[] {
  if (policies.length > 1) return policies.toSorted((a, b) => a.order - b.order).map(({ id }) => id);
  return policies.map(({ id }) => id);
}

/** @throws InvalidSource */
function compiled(
  parts: readonly NamedPart[],
  { policies }: PolicySource,
  known: ReadonlyMap<string, PolicyBody> = new Map(),
): ReadonlyMap<string, PolicyBody> {
  const bodies = new Map<string, PolicyBody>();
  for (const { id, part } of parts) {
    if (bodies.has(part.text)) continue;
    const large = tooLarge(part);
    const text = typeof policies === 'string' ? policies : part.text;
    if (large !== undefined)
      throw new InvalidSource([
        problemAt('policies', text, typeof policies === 'string' ? part.at : 0, `\`${id}\`: ${large}`),
      ]);
    try {
      bodies.set(part.text, known.get(part.text) ?? compileBody(part));
    } catch (thrown) {
      // Looked at as a whole, the place of the mistake is one in the text that was given.
      const problems = thrown instanceof InvalidSource ? policyProblems(text) : [];
      throw problems.length > 0 ? new InvalidSource(problems) : thrown;
    }
  }
  return bodies;
}

/** Policies by themselves and by links; a template that nobody links is none. */
function policiesOf(bodies: ReadonlyMap<string, PolicyBody>, source: PolicySource): readonly Policy[] {
  const policies: Policy[] = [];
  const add = (body: PolicyBody, id: string, slots: ReadonlyMap<string, EntityUid>) => {
    const { schema } = source;
    policies.push(
      policyOf(body, { id, order: policies.length, slots, ...(schema !== undefined && { schema }) }),
    );
  };
  try {
    for (const [id, body] of bodies) if (!body.part.isTemplate) add(body, id, new Map());
    for (const { policyId, templateId, slots } of source.links ?? []) {
      const body = bodies.get(templateId);
      if (body?.part.isTemplate !== true) throw new UnknownForm(`no template \`${templateId}\``);
      if (bodies.has(policyId) || policies.some(({ id }) => id === policyId))
        throw new UnknownForm(`two policies are named \`${policyId}\``);
      add(body, policyId, readSlots(slots));
    }
    return policies;
  } catch (thrown) {
    for (const { reference } of policies) reference?.release();
    if (!(thrown instanceof UnknownForm) && !(thrown instanceof InvalidInput)) throw thrown;
    throw new InvalidSource([problemAt('policies', '', undefined, thrown.message)]);
  }
}

function readSlots(slots: Readonly<Record<string, unknown>>): ReadonlyMap<string, EntityUid> {
  return new Map(Object.entries(slots).map(([slot, uid]) => [slot, readUid(uid, `slot \`${slot}\``)]));
}
