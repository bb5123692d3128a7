import {
  checkParsePolicySet,
  checkParseSchema,
  type DetailedError,
  type PolicyJson,
  policySetTextToParts,
  policyToJson,
  preparsePolicySet,
  type StatefulAuthorizationCall,
  schemaToJsonWithResolvedTypes,
  statefulIsAuthorized,
  validate,
} from '@cedar-policy/cedar-wasm/nodejs';
import type { ApprovalDemand, PolicyAnswer, PolicyRequest } from '../decision/policy-request.js';
import { APPROVAL_ANNOTATION, readApprovalAnnotation, strictest } from './approval-annotation.provider.js';
import { attributeErrors, cedarCall } from './cedar-request.provider.js';
import {
  type CompiledPolicies,
  PolicyLanguage,
  type PolicyProblem,
  type PolicySource,
} from './policies.provider.js';
import { joinReads, type Reads, readsNothing, readsOf } from './policy-reads.js';
import { type FittingAction, fitSchema, type SchemaForm } from './schema-fit.js';

/** Cedar (language 4.5) by its reference implementation, compiled to WebAssembly. */
export class CedarWasm extends PolicyLanguage {
  /** Parsed policy sets live in the module, which the whole process shares: each compiled set has names of its own. */
  static #compiled = 0;

  override problems(source: PolicySource): readonly PolicyProblem[] {
    const unusable = unusableText(source);
    return unusable.length > 0 ? unusable : invalidPolicies(source);
  }

  override compile(set: PolicySource & { policySetId: string; version: number }): CompiledPolicies {
    const [problem] = unusableText(set);
    if (problem !== undefined)
      throw new Error(`policy set \`${set.policySetId}\` is not valid: ${problem.message}`);
    CedarWasm.#compiled += 1;
    const { actions } = fitSchema(schemaForm(set.schema));
    const parts = partsOf(set.policies).map(({ text }) => readPart(text));
    return new CedarPolicies(`${set.policySetId}/${CedarWasm.#compiled}`, set, actions, parts);
  }
}

interface Part {
  readonly id: string;
  readonly text: string;
  readonly json: PolicyJson;
  readonly demand: ApprovalDemand | undefined;
}

/** What is evaluated for one action: the policies whose scope may match it, parsed together. */
interface Slice {
  readonly name: string;
  readonly isEmpty: boolean;
  readonly reads: Reads;
  /** Answers by everything that was asked. Evaluation is pure, so an answer stays right as long as its policies do. */
  readonly answers: Map<string, PolicyAnswer>;
}

/** An evaluation takes about 60 µs, finding its answer again about 3. */
const answersMax = 5_000;
/** A longer question is evaluated each time: what is remembered must not grow with what callers write. */
const askedCharactersMax = 4_096;

class CedarPolicies implements CompiledPolicies {
  readonly policySetId: string;
  readonly version: number;
  readonly #slices = new Map<string, Slice>();
  readonly #demands: ReadonlyMap<string, ApprovalDemand>;
  #released = false;

  constructor(
    private readonly name: string,
    set: { readonly policySetId: string; readonly version: number },
    private readonly actions: ReadonlyMap<string, FittingAction>,
    private readonly parts: readonly Part[],
  ) {
    this.policySetId = set.policySetId;
    this.version = set.version;
    this.#demands = new Map(parts.flatMap(({ id, demand }) => (demand === undefined ? [] : [[id, demand]])));
  }

  hasAction(actionName: string): boolean {
    return this.actions.has(actionName);
  }

  answer(request: PolicyRequest): PolicyAnswer {
    const action = this.actions.get(request.actionName);
    if (action === undefined || this.#released) return { decision: 'deny', policyIds: [], errors: [] };
    const errors = attributeErrors(request, action);
    if (errors.length > 0) return { decision: 'deny', policyIds: [], errors };
    const slice = this.#sliceOf(request.actionName, action);
    if (slice.isEmpty) return { decision: 'deny', policyIds: [], errors: [] };
    const call = cedarCall(request, slice.reads, action);
    const asked = JSON.stringify(call);
    const known = slice.answers.get(asked);
    if (known !== undefined) return known;
    const answer = this.#evaluate({ ...call, preparsedPolicySetId: slice.name });
    if (asked.length > askedCharactersMax) return answer;
    if (slice.answers.size >= answersMax) slice.answers.clear();
    slice.answers.set(asked, answer);
    return answer;
  }

  #evaluate(call: StatefulAuthorizationCall): PolicyAnswer {
    const answered = statefulIsAuthorized(call);
    if (answered.type === 'failure')
      return { decision: 'deny', policyIds: [], errors: messages(answered.errors) };
    const { decision, diagnostics } = answered.response;
    const policyIds = diagnostics.reason.toSorted();
    const failed = diagnostics.errors.map(({ policyId, error }) => `\`${policyId}\`: ${error.message}`);
    const demand =
      decision === 'allow' ? strictest(policyIds.flatMap((id) => this.#demands.get(id) ?? [])) : undefined;
    return { decision, policyIds, errors: failed, ...(demand && { approvalDemand: demand }) };
  }

  release(): void {
    this.#released = true;
    for (const { name } of this.#slices.values()) preparsePolicySet(name, { staticPolicies: {} });
    this.#slices.clear();
  }

  #sliceOf(actionName: string, action: FittingAction): Slice {
    const known = this.#slices.get(actionName);
    if (known !== undefined) return known;
    const matching = this.parts.filter(({ json }) => mayMatch(json.action, [actionName, ...action.groups]));
    const slice = {
      name: `${this.name}/${actionName}`,
      isEmpty: matching.length === 0,
      reads: matching.map(({ json }) => readsOf(json)).reduce(joinReads, readsNothing),
      answers: new Map<string, PolicyAnswer>(),
    };
    const parsed = preparsePolicySet(slice.name, {
      staticPolicies: Object.fromEntries(matching.map(({ id, text }) => [id, text])),
    });
    if (parsed.type === 'failure')
      throw new Error(`policies for \`${actionName}\` do not parse: ${messages(parsed.errors)[0]}`);
    this.#slices.set(actionName, slice);
    return slice;
  }
}

/** Whether the action scope of a policy names the action or one of its groups. */
function mayMatch(constraint: PolicyJson['action'], names: readonly string[]): boolean {
  if (constraint.op === 'All') return true;
  const uids =
    'entities' in constraint ? constraint.entities : 'entity' in constraint ? [constraint.entity] : [];
  return uids.some((uid) => names.includes('__entity' in uid ? uid.__entity.id : uid.id));
}

/** What keeps a policy set from being evaluated as it is meant. */
function unusableText({ policies, schema }: PolicySource): readonly PolicyProblem[] {
  const unparsed = [
    ...located('schema', schema, failures(checkParseSchema(schema))),
    ...located('policies', policies, failures(checkParsePolicySet({ staticPolicies: policies }))),
  ];
  if (unparsed.length > 0) return unparsed;
  const misfits = fitSchema(schemaForm(schema)).misfits.map((message): PolicyProblem => {
    return { field: 'schema', line: 0, column: 0, message };
  });
  return [...misfits, ...partProblems(policies)];
}

/** Validation in Cedar's strict mode: every policy against every action it may be asked about. */
function invalidPolicies({ policies, schema }: PolicySource): readonly PolicyProblem[] {
  const answer = validate({ schema, policies: { staticPolicies: policies } });
  if (answer.type === 'failure') return located('policies', policies, answer.errors);
  const errors = [...answer.validationErrors, ...answer.validationWarnings.filter(isNeverTrue)];
  return located(
    'policies',
    policies,
    errors.map(({ error }) => error),
  );
}

/** A policy that can never apply is a mistake of its author: a forbid of this kind guards nothing. */
function isNeverTrue({ error }: { error: DetailedError }): boolean {
  return error.message.includes('policy is impossible');
}

function partProblems(policies: string): readonly PolicyProblem[] {
  const problems: PolicyProblem[] = [];
  const seen = new Set<string>();
  for (const { text, isTemplate, at } of partsOf(policies)) {
    const wrong = (message: string) =>
      problems.push({ field: 'policies', ...placeOf(policies, at), message });
    if (isTemplate) {
      wrong('a template cannot be applied; write out the policy');
      continue;
    }
    const { annotations = {}, effect } = jsonOf(text);
    const { id, [APPROVAL_ANNOTATION]: approval } = annotations;
    if (id === undefined || !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/.test(id))
      wrong('a policy needs a name, `@id("pay-small")`');
    else if (seen.has(id)) wrong(`two policies are named \`${id}\``);
    else seen.add(id);
    if (approval === undefined) continue;
    if (effect === 'forbid')
      wrong(`\`@${APPROVAL_ANNOTATION}\` belongs on a permit: no approval lifts a forbid`);
    const demand = readApprovalAnnotation(approval);
    if (typeof demand === 'string') wrong(demand);
  }
  return problems;
}

function readPart(text: string): Part {
  const json = jsonOf(text);
  const approval = json.annotations?.[APPROVAL_ANNOTATION];
  const demand = approval === undefined ? undefined : readApprovalAnnotation(approval);
  return {
    id: json.annotations?.id ?? '',
    text,
    json,
    demand: typeof demand === 'string' ? undefined : demand,
  };
}

function partsOf(policies: string): readonly { text: string; isTemplate: boolean; at: number }[] {
  const answer = policySetTextToParts(policies);
  if (answer.type === 'failure') throw new Error(`policies do not parse: ${messages(answer.errors)[0]}`);
  const part = (isTemplate: boolean) => (text: string) => ({ text, isTemplate, at: policies.indexOf(text) });
  const parts = [...answer.policies.map(part(false)), ...answer.policy_templates.map(part(true))];
  return parts.sort((a, b) => a.at - b.at);
}

function jsonOf(text: string): PolicyJson {
  const answer = policyToJson(text);
  if (answer.type === 'failure') throw new Error(`a policy does not parse: ${messages(answer.errors)[0]}`);
  return answer.json;
}

function schemaForm(schema: string): SchemaForm {
  const answer = schemaToJsonWithResolvedTypes(schema);
  if (answer.type === 'failure') throw new Error(`the schema does not parse: ${messages(answer.errors)[0]}`);
  return answer.json as SchemaForm;
}

function failures(
  answer: { type: 'success' } | { type: 'failure'; errors: DetailedError[] },
): readonly DetailedError[] {
  return answer.type === 'failure' ? answer.errors : [];
}

function located(
  field: PolicyProblem['field'],
  text: string,
  errors: readonly DetailedError[],
): readonly PolicyProblem[] {
  // Cedar counts in bytes of UTF-8.
  const bytes = Buffer.from(text);
  return errors.map(({ message, help, sourceLocations }) => {
    const start = sourceLocations?.[0]?.start;
    const place =
      start === undefined
        ? { line: 0, column: 0 }
        : placeOf(text, bytes.subarray(0, start).toString().length);
    return { field, ...place, message: help === null ? message : `${message} (${help})` };
  });
}

function placeOf(text: string, at: number): { line: number; column: number } {
  const before = text.slice(0, Math.max(0, at)).split('\n');
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

function messages(errors: readonly DetailedError[]): readonly string[] {
  return errors.map(({ message }) => message);
}
