import {
  type PolicyDescription,
  PolicySet,
  partsOf,
  policyJsonOf,
  policyProblems,
  problemAt,
  ReferenceSet,
  readUid,
  type SourceProblem,
  schemaJsonOf,
  schemaProblems,
  validation,
} from '@writ/cedar';
import type { Clock } from '@writ/service';
import type { ApprovalDemand, PolicyAnswer, PolicyRequest } from '../decision/policy-request.js';
import { APPROVAL_ANNOTATION, readApprovalAnnotation, strictest } from './approval-annotation.provider.js';
import { type AskedAction, askedAction, attributeErrors, cedarQuestion } from './cedar-request.provider.js';
import { CheckedEvaluation, type EvaluationTelemetry, Sample } from './checked-evaluation.provider.js';
import { contextReads } from './context-reads.js';
import {
  type CompiledPolicies,
  PolicyLanguage,
  type PolicyProblem,
  type PolicySource,
} from './policies.provider.js';
import { type FittingAction, fitSchema, type SchemaForm } from './schema-fit.js';

/** Cedar (language 4.5), compiled; its reference implementation parses, validates, and evaluates a sample. */
export class CedarLanguage extends PolicyLanguage {
  readonly #sample: Sample;

  constructor(
    private readonly o: {
      /** One question in so many is evaluated by the reference too, from 1. */
      readonly shadowOneIn: number;
      readonly clock: Pick<Clock, 'randomBytes'>;
      readonly telemetry: EvaluationTelemetry;
    },
  ) {
    super();
    this.#sample = new Sample(o.shadowOneIn, o.clock);
  }

  override problems(source: PolicySource): readonly PolicyProblem[] {
    const { problems } = readSource(source);
    return problems.length > 0 ? problems : invalidPolicies(source);
  }

  override compile(set: PolicySource & { policySetId: string; version: number }): CompiledPolicies {
    const { problems, actions, texts } = readSource(set);
    const [problem] = problems;
    if (problem !== undefined)
      throw new Error(`policy set \`${set.policySetId}\` is not valid: ${problem.message}`);
    const staticPolicies = Object.fromEntries(texts);
    const compiled = PolicySet.prepare({ policies: staticPolicies });
    const evaluation = new CheckedEvaluation(set, {
      compiled,
      reference: new ReferenceSet({ staticPolicies }),
      sample: this.#sample,
      telemetry: this.o.telemetry,
    });
    return new CedarPolicies(set, actions, compiled.policies, evaluation);
  }
}

class CedarPolicies implements CompiledPolicies {
  readonly policySetId: string;
  readonly version: number;
  readonly #asked = new Map<string, AskedAction>();
  readonly #demands: ReadonlyMap<string, ApprovalDemand>;
  #released = false;

  constructor(
    set: { readonly policySetId: string; readonly version: number },
    private readonly actions: ReadonlyMap<string, FittingAction>,
    private readonly policies: readonly PolicyDescription[],
    private readonly evaluation: CheckedEvaluation,
  ) {
    this.policySetId = set.policySetId;
    this.version = set.version;
    this.#demands = demandsOf(policies);
  }

  hasAction(actionName: string): boolean {
    return this.actions.has(actionName);
  }

  answer(request: PolicyRequest): PolicyAnswer {
    const action = this.#askedAction(request.actionName);
    if (action === undefined || this.#released) return { decision: 'deny', policyIds: [], errors: [] };
    const errors = attributeErrors(request, action);
    if (errors.length > 0) return { decision: 'deny', policyIds: [], errors };
    const answer = this.evaluation.evaluate(cedarQuestion(request, action));
    const policyIds = answer.reasons.toSorted();
    const failed = answer.errors.map(({ policyId, message }) =>
      policyId === undefined ? message : `\`${policyId}\`: ${message}`,
    );
    const demand =
      answer.decision === 'allow'
        ? strictest(policyIds.flatMap((id) => this.#demands.get(id) ?? []))
        : undefined;
    return {
      decision: answer.decision,
      policyIds,
      errors: failed,
      ...(demand && { approvalDemand: demand }),
    };
  }

  release(): void {
    this.#released = true;
    this.evaluation.release();
  }

  #askedAction(name: string): AskedAction | undefined {
    const known = this.#asked.get(name);
    if (known !== undefined) return known;
    const action = this.actions.get(name);
    if (action === undefined) return undefined;
    const matching = this.policies.filter(({ json }) => mayMatch(json.action, [name, ...action.groups]));
    const reads = contextReads(matching.flatMap(({ json }) => json.conditions.map(({ body }) => body)));
    const asked = askedAction(name, action, reads);
    this.#asked.set(name, asked);
    return asked;
  }
}

/** Whether the action scope of a policy may admit the action or one of its groups. */
function mayMatch(
  { op, entity, entities = [entity] }: PolicyDescription['json']['action'],
  names: readonly string[],
): boolean {
  return op === 'All' || entities.some((uid) => names.includes(readUid(uid, 'an action').id));
}

function demandsOf(policies: readonly PolicyDescription[]): ReadonlyMap<string, ApprovalDemand> {
  const demands = new Map<string, ApprovalDemand>();
  for (const { id, annotations } of policies) {
    const { [APPROVAL_ANNOTATION]: approval } = annotations;
    const demand = approval === undefined ? undefined : readApprovalAnnotation(approval);
    if (typeof demand === 'object') demands.set(id, demand);
  }
  return demands;
}

interface ReadSource {
  /** What keeps the set from being evaluated as it is meant. */
  readonly problems: readonly PolicyProblem[];
  readonly actions: ReadonlyMap<string, FittingAction>;
  /** Each policy by its id. */
  readonly texts: ReadonlyMap<string, string>;
}

function readSource({ policies, schema }: PolicySource): ReadSource {
  const unparsed = [...schemaProblems(schema), ...policyProblems(policies)];
  if (unparsed.length > 0) return { problems: unparsed.map(problemOf), actions: new Map(), texts: new Map() };
  const { actions, misfits } = fitSchema(schemaJsonOf(schema) as SchemaForm);
  const parts = readParts(policies);
  const misfitting = misfits.map((message): PolicyProblem => {
    return { field: 'schema', line: 0, column: 0, message };
  });
  return { problems: [...misfitting, ...parts.problems], actions, texts: parts.texts };
}

/** Validation in Cedar's strict mode: every policy against every action it may be asked about. */
function invalidPolicies(source: PolicySource): readonly PolicyProblem[] {
  const { errors, warnings } = validation(source);
  return [...errors, ...warnings.filter(isNeverTrue)].map(problemOf);
}

/** A policy that can never apply is a mistake of its author: a forbid of this kind guards nothing. */
function isNeverTrue({ message }: SourceProblem): boolean {
  return message.includes('policy is impossible');
}

function readParts(policies: string): Pick<ReadSource, 'problems' | 'texts'> {
  const problems: PolicyProblem[] = [];
  const texts = new Map<string, string>();
  for (const { text, isTemplate, at } of partsOf(policies)) {
    const wrong = (message: string) => problems.push(problemOf(problemAt('policies', policies, at, message)));
    if (isTemplate) {
      wrong('a template cannot be applied; write out the policy');
      continue;
    }
    const { annotations = {}, effect } = policyJsonOf(text, isTemplate);
    const { id, [APPROVAL_ANNOTATION]: approval } = annotations;
    if (id === undefined || !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(id))
      wrong('a policy needs a name, `@id("pay-small")`');
    else if (texts.has(id)) wrong(`two policies are named \`${id}\``);
    else texts.set(id, text);
    if (approval === undefined) continue;
    if (effect === 'forbid')
      wrong(`\`@${APPROVAL_ANNOTATION}\` belongs on a permit: no approval lifts a forbid`);
    const demand = readApprovalAnnotation(approval);
    if (typeof demand === 'string') wrong(demand);
  }
  return { problems, texts };
}

function problemOf({ source: field, line, column, message }: SourceProblem): PolicyProblem {
  return { field, line, column, message };
}
