import type { Provenance } from '@writ/contracts/writ/registry/v1/agent_facts.js';
import { matching, optional, type Problem } from '@writ/service';

const digest = (value: string): Problem =>
  optional(value, matching(value, /^sha-256:[A-Za-z0-9_-]{43}$/, '`sha-256:` and the base64url digest'));

/** What is wrong with the digests of a provenance, by proto path; each may be absent, which costs trust. */
export function provenanceProblems(provenance: Provenance): Record<string, Problem> {
  return {
    'provenance.model_digest': digest(provenance.modelDigest),
    'provenance.system_prompt_digest': digest(provenance.systemPromptDigest),
    'provenance.tools_digest': digest(provenance.toolsDigest),
    'provenance.image_digest': digest(provenance.imageDigest),
  };
}
