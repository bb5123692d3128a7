import type { DecideRequest } from '@writ/contracts/writ/policy/v1/decision.js';
import type { Call } from '@writ/kernel';
import { id, integer, list, matching, optional, type Problem, requestId, required } from '@writ/service';
import { knowledgeSources } from './knowledge.facts.js';

/** Who may ask for a decision, in whatever form. */
export const askers = ['agent', 'enforcement-point', 'service:vault'] as const;

/** What a question has in every form that it is asked in. */
export type AskedFields = Pick<
  DecideRequest,
  'token' | 'presentedCertificateSha256' | 'approvalId' | 'atLeast' | 'requestId'
> & { readonly action: unknown };

const positionsMax = 8;
const sources: readonly string[] = [...knowledgeSources, 'policy-engine'];

/**
 * What is wrong with a question before its token and its action are read.
 * @param path what stands before the name of each field
 */
export function questionProblems(request: AskedFields, call: Call, path: string): Record<string, Problem> {
  const { token, presentedCertificateSha256: certificate, approvalId, atLeast } = request;
  const digest = matching(certificate, /^[A-Za-z0-9_-]{43}$/, 'the base64url SHA-256 of a certificate');
  const position = ({ source, pos }: { source: string; pos: bigint }) =>
    sources.includes(source)
      ? integer(pos, { max: Number.MAX_SAFE_INTEGER })
      : `must name one of ${sources.map((name) => `\`${name}\``).join(', ')}`;
  return {
    [`${path}token`]: required(token),
    [`${path}presented_certificate_sha256`]:
      call.caller.kind === 'agent' ? optional(certificate, digest) : required(certificate, digest),
    [`${path}action`]: required(request.action),
    [`${path}approval_id`]: optional(approvalId, id('apr', approvalId)),
    [`${path}at_least`]: list(atLeast, { max: positionsMax, rule: position }),
    [`${path}request_id`]: optional(request.requestId, requestId(request.requestId)),
  };
}
