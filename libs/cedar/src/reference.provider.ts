import {
  checkParsePolicySet,
  checkParseSchema,
  type DetailedError,
  formatPolicies,
  type PolicySet,
  policyToJson,
  preparsePolicySet,
  preparseSchema,
  type StatefulAuthorizationCall,
  schemaToJsonWithResolvedTypes,
  statefulIsAuthorized,
  templateToJson,
  validate,
} from '@cedar-policy/cedar-wasm/nodejs';
import { type Answer, refusal } from './answer.js';
import { EvaluationError } from './evaluation-error.js';
import { toRawJson } from './json.js';
import type { PolicyJson } from './policy-json.js';
import { NESTING_MAX, type PolicyPart, partsOf, schemaNesting, WEIGHT_MAX } from './policy-text.js';
import type { SchemaJson } from './schema.js';
import { InvalidSource, problemAt, type SourceProblem } from './source-problem.js';
import { InvalidInput } from './value-json.js';

/** Why the reference cannot be asked about a policy: it would overflow its stack and answer nothing any more. */
export function tooLarge({ nesting, weight }: PolicyPart): string | undefined {
  if (nesting > NESTING_MAX) return `brackets nest deeper than ${NESTING_MAX}`;
  if (weight > WEIGHT_MAX) return `the policy has more than ${WEIGHT_MAX} operators; write it as several`;
  return undefined;
}

/** What keeps a policy or template from being parsed; empty when nothing does. */
export function policyProblems(text: string): readonly SourceProblem[] {
  const large = partsOf(text).flatMap((part) => {
    const message = tooLarge(part);
    return message === undefined ? [] : [problemAt('policies', text, part.at, message)];
  });
  if (large.length > 0) return large;
  const answer = checkParsePolicySet({ staticPolicies: text });
  return answer.type === 'failure' ? located('policies', text, answer.errors) : [];
}

/** A policy in JSON. Its text must be of a size that the reference can parse. @throws InvalidSource */
export function policyJsonOf(text: string, isTemplate: boolean): PolicyJson {
  const answer = isTemplate ? templateToJson(text) : policyToJson(text);
  if (answer.type === 'failure') throw new InvalidSource(located('policies', text, answer.errors));
  return answer.json as PolicyJson;
}

/** What keeps a schema from being used; empty when nothing does. */
export function schemaProblems(text: string): readonly SourceProblem[] {
  if (schemaNesting(text) > NESTING_MAX)
    return [problemAt('schema', text, undefined, `brackets nest deeper than ${NESTING_MAX}`)];
  const answer = checkParseSchema(text);
  return answer.type === 'failure' ? located('schema', text, answer.errors) : [];
}

/** @throws InvalidSource */
export function schemaJsonOf(text: string): SchemaJson {
  const problems = schemaProblems(text);
  if (problems.length > 0) throw new InvalidSource(problems);
  const answer = schemaToJsonWithResolvedTypes(text);
  if (answer.type === 'failure') throw new InvalidSource(located('schema', text, answer.errors));
  return answer.json as SchemaJson;
}

/** What Cedar's validator says of policies. */
export interface Validation {
  /** Why they cannot be used. */
  readonly errors: readonly SourceProblem[];
  /** What is allowed and most likely a mistake, such as a policy that can never apply. */
  readonly warnings: readonly SourceProblem[];
}

/** Every policy against every request that the schema admits, in Cedar's strict mode. */
export function validation(source: { readonly policies: string; readonly schema: string }): Validation {
  const { policies, schema } = source;
  const unparsed = [...schemaProblems(schema), ...policyProblems(policies)];
  if (unparsed.length > 0) return { errors: unparsed, warnings: [] };
  const answer = validate({ schema, policies: { staticPolicies: policies } });
  const told = (errors: readonly DetailedError[]) => located('policies', policies, errors);
  if (answer.type === 'failure') return { errors: told(answer.errors), warnings: [] };
  return {
    errors: told(answer.validationErrors.map(({ error }) => error)),
    warnings: told(answer.validationWarnings.map(({ error }) => error)),
  };
}

/** Policies in the layout of Cedar's own formatter. @throws InvalidSource */
export function formatted(policies: string): string {
  const problems = policyProblems(policies);
  if (problems.length > 0) throw new InvalidSource(problems);
  const answer = formatPolicies({ policyText: policies });
  if (answer.type === 'failure') throw new InvalidSource(located('policies', policies, answer.errors));
  return answer.formatted_policy;
}

interface TypeAndId {
  readonly type: string;
  readonly id: string;
}

/** A request as the reference is asked it. */
export interface ReferenceRequest {
  readonly principal: TypeAndId;
  readonly action: TypeAndId;
  readonly resource: TypeAndId;
  /** As they were given: JSON values, integers beyond 2^53 as `bigint`. */
  readonly context: unknown;
  readonly entities: readonly unknown[];
}

/** Policies that the reference evaluates. What it parsed stays in the module, which the whole process shares. */
export class ReferenceSet {
  static #count = 0;
  readonly #name: string;
  readonly #hasSchema: boolean;

  /** @throws Error when the reference does not take the policies or the schema */
  constructor(policies: PolicySet, schema?: string) {
    ReferenceSet.#count += 1;
    this.#name = `writ-cedar/${ReferenceSet.#count}`;
    this.#hasSchema = schema !== undefined;
    const answers = [
      preparsePolicySet(this.#name, policies),
      ...(schema === undefined ? [] : [preparseSchema(this.#name, schema)]),
    ];
    for (const answer of answers)
      if (answer.type === 'failure')
        throw new Error(`the reference does not take a policy: ${answer.errors[0]?.message}`);
  }

  /** Decides. Its reasons and errors are in no order. */
  evaluate(request: ReferenceRequest): Answer {
    const { principal, action, resource, context, entities } = request;
    const answer = statefulIsAuthorized({
      principal: { type: principal.type, id: principal.id },
      action: { type: action.type, id: action.id },
      resource: { type: resource.type, id: resource.id },
      context: toRawJson(context) as StatefulAuthorizationCall['context'],
      entities: toRawJson(entities) as StatefulAuthorizationCall['entities'],
      preparsedPolicySetId: this.#name,
      ...(this.#hasSchema && { preparsedSchemaName: this.#name, validateRequest: true }),
    });
    if (answer.type === 'failure') return refusal(answer.errors[0]?.message ?? 'no answer');
    const { decision, diagnostics } = answer.response;
    const errors = diagnostics.errors.map(({ policyId, error: { message } }) => ({ policyId, message }));
    return { decision, reasons: diagnostics.reason, errors };
  }

  /** Of a single policy: whether it applies. @throws EvaluationError, InvalidInput when it refuses the request as a whole */
  applies(request: ReferenceRequest): boolean {
    const { reasons, errors } = this.evaluate(request);
    const [error] = errors;
    if (error === undefined) return reasons.length > 0;
    throw error.policyId === undefined ? new InvalidInput(error.message) : new EvaluationError(error.message);
  }

  release(): void {
    preparsePolicySet(this.#name, { staticPolicies: {} });
    if (this.#hasSchema) preparseSchema(this.#name, {});
  }
}

function located(
  source: SourceProblem['source'],
  text: string,
  errors: readonly DetailedError[],
): readonly SourceProblem[] {
  // Cedar counts in bytes of UTF-8.
  const bytes = Buffer.from(text);
  return errors.map(({ message, help, sourceLocations }) => {
    const start = sourceLocations?.[0]?.start;
    const at = start === undefined ? undefined : bytes.subarray(0, start).toString().length;
    return problemAt(source, text, at, help === null ? message : `${message} (${help})`);
  });
}
