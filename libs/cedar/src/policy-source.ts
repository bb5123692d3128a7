import type { PolicyPart } from './policy-text.js';
import { partsOf } from './policy-text.js';
import { InvalidSource, problemAt } from './source-problem.js';

/** A template made a policy. */
export interface TemplateLink {
  readonly policyId: string;
  readonly templateId: string;
  /** By the slots' names: `?principal`, `?resource`. */
  readonly slots: Readonly<Record<string, unknown>>;
}

export interface PolicySource {
  /**
   * Policies and templates: one text, whose parts are `policy0`, `policy1`, … in order, or one text for each by its id.
   */
  readonly policies: string | Readonly<Record<string, string>>;
  readonly links?: readonly TemplateLink[];
  /** Where there is one, entities and requests are read by it, and what does not fit is refused. */
  readonly schema?: string;
}

/** One policy or template by its id. */
export interface NamedPart {
  readonly id: string;
  readonly part: PolicyPart;
}

/** @throws InvalidSource when a text that should be one policy is none or several */
export function namedParts(policies: PolicySource['policies']): readonly NamedPart[] {
  if (typeof policies === 'string')
    return partsOf(policies).map((part, index) => ({ id: `policy${index}`, part }));
  return Object.entries(policies).map(([id, text]) => {
    const [part, second] = partsOf(text);
    if (part === undefined || second !== undefined)
      throw new InvalidSource([
        problemAt(
          'policies',
          text,
          second?.at,
          `\`${id}\` is ${part === undefined ? 'no policy' : 'more than one'}`,
        ),
      ]);
    return { id, part };
  });
}
