import {
  preparsePolicySet,
  preparseSchema,
  type StatefulAuthorizationCall,
  statefulIsAuthorized,
} from '@cedar-policy/cedar-wasm/nodejs';
import type { Answer } from '../src/answer.js';
import { toRawJson } from '../src/json.js';
import { PolicySet } from '../src/policy-set.js';
import type { Case } from './cases.js';

/** Asks ours and the reference the same, and tells what differs. */

export interface Comparison {
  readonly differing: readonly string[];
  readonly allowed: number;
  readonly refused: number;
  readonly errors: number;
  readonly byFallback: number;
  /** Messages of errors that are worded differently, by theirs. */
  readonly messages: ReadonlyMap<string, string>;
}

type Summary = { decision: string; reasons: string; errors: string } | 'refused';

export function compare({ policies, links, schema, entities, requests }: Case): Comparison {
  prepareReference({ policies, links, schema });
  const set = PolicySet.prepare({ policies, links, ...(schema !== undefined && { schema }) });
  const differing: string[] = [];
  const messages = new Map<string, string>();
  const counts = { allowed: 0, refused: 0, errors: 0 };
  const common = {
    entities: toRawJson(entities),
    preparsedPolicySetId: 'differential',
    ...(schema !== undefined && { preparsedSchemaName: 'differential', validateRequest: true }),
  };
  for (const request of requests) {
    const call = { ...request, context: toRawJson(request.context), ...common };
    const reference = statefulIsAuthorized(call as StatefulAuthorizationCall);
    const theirs: Summary =
      reference.type === 'failure'
        ? 'refused'
        : {
            decision: reference.response.decision,
            reasons: reference.response.diagnostics.reason.toSorted().join(),
            errors: reference.response.diagnostics.errors
              .map(({ policyId }) => policyId)
              .toSorted()
              .join(),
          };
    const answer = set.evaluate({ ...request, entities });
    const ours = summaryOf(answer);
    if (JSON.stringify(ours) !== JSON.stringify(theirs))
      differing.push(
        JSON.stringify(
          {
            ours,
            theirs,
            answer,
            reference,
            request: toRawJson(request),
            policies,
            links,
            schema,
            entities: toRawJson(entities),
          },
          null,
          1,
        ),
      );
    if (theirs === 'refused') counts.refused += 1;
    else if (reference.type === 'success') {
      counts.errors += reference.response.diagnostics.errors.length;
      if (theirs.decision === 'allow') counts.allowed += 1;
      for (const { policyId, error } of reference.response.diagnostics.errors) {
        const own = answer.errors.find((one) => one.policyId === policyId)?.message;
        if (own !== error.message) messages.set(error.message, own ?? '');
      }
    }
  }
  const byFallback = set.evaluatedByReference;
  set.release();
  return { differing, ...counts, byFallback, messages };
}

function summaryOf({ decision, reasons, errors }: Answer): Summary {
  if (errors.some(({ policyId }) => policyId === undefined)) return 'refused';
  return {
    decision,
    reasons: reasons.toSorted().join(),
    errors: errors
      .map(({ policyId }) => policyId)
      .toSorted()
      .join(),
  };
}

function prepareReference({ policies, links, schema }: Pick<Case, 'policies' | 'links' | 'schema'>): void {
  const isTemplate = ([id]: readonly [string, string]) => id.startsWith('t');
  const texts = Object.entries(policies);
  const answers = [
    preparsePolicySet('differential', {
      staticPolicies: Object.fromEntries(texts.filter((one) => !isTemplate(one))),
      templates: Object.fromEntries(texts.filter(isTemplate)),
      templateLinks: links.map(({ policyId, templateId, slots }) => ({
        templateId,
        newId: policyId,
        values: slots,
      })),
    }),
    ...(schema === undefined ? [] : [preparseSchema('differential', schema)]),
  ];
  for (const answer of answers) if (answer.type === 'failure') throw new Error(JSON.stringify(answer.errors));
}
