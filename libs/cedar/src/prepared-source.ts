import type { EntityUid } from './entity-uid.js';
import { compileBody, type Policy, type PolicyBody, policyOf } from './policy.js';
import { type PolicyJson, UnknownForm } from './policy-json.js';
import { type NamedPart, namedParts, type PolicySource, type TemplateLink } from './policy-source.js';
import { policyProblems, schemaJsonOf, tooLarge } from './reference.provider.js';
import { Schema } from './schema.js';
import { InvalidSource, problemAt } from './source-problem.js';
import { InvalidInput, readUid } from './value-json.js';

/** What a source became, to be asked and to be taken over by the next version. */
export interface PreparedSource {
  readonly policies: readonly Policy[];
  /** By text: equal texts share one. */
  readonly bodies: ReadonlyMap<string, PolicyBody>;
  readonly schemaText: string | undefined;
  readonly schema: Schema | undefined;
}

/** Compiles what the previous version does not have yet. @throws InvalidSource */
export function prepareSource(source: PolicySource, previous: PreparedSource | undefined): PreparedSource {
  const { schema: schemaText, policies, links = [] } = source;
  const schema = schemaText === previous?.schemaText ? previous?.schema : schemaOf(schemaText);
  const parts = namedParts(policies);
  const bodies = bodiesOf(parts, policies, previous?.bodies ?? new Map());
  const named = new Map(parts.map(({ id, part }) => [id, bodies.get(part.text) as PolicyBody]));
  return { policies: policiesOf(named, links, schemaText), bodies, schemaText, schema };
}

function schemaOf(text: string | undefined): Schema | undefined {
  return text === undefined ? undefined : new Schema(schemaJsonOf(text));
}

function bodiesOf(
  parts: readonly NamedPart[],
  policies: PolicySource['policies'],
  known: ReadonlyMap<string, PolicyBody>,
): ReadonlyMap<string, PolicyBody> {
  const bodies = new Map<string, PolicyBody>();
  for (const { id, part } of parts) {
    if (bodies.has(part.text)) continue;
    const [text, at] = typeof policies === 'string' ? [policies, part.at] : [part.text, 0];
    const large = tooLarge(part);
    if (large !== undefined)
      throw new InvalidSource([problemAt('policies', text, at, `\`${id}\`: ${large}`)]);
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
function policiesOf(
  bodies: ReadonlyMap<string, PolicyBody>,
  links: readonly TemplateLink[],
  schema: string | undefined,
): readonly Policy[] {
  const policies: Policy[] = [];
  const ids = new Set(bodies.keys());
  const add = (body: PolicyBody, id: string, slots: ReadonlyMap<string, EntityUid>) =>
    policies.push(policyOf(body, { id, order: policies.length, slots, schema }));
  try {
    for (const [id, body] of bodies) if (!body.part.isTemplate) add(body, id, new Map());
    for (const { policyId, templateId, slots } of links) {
      const body = bodies.get(templateId);
      if (body?.part.isTemplate !== true) throw new UnknownForm(`no template \`${templateId}\``);
      if (ids.has(policyId)) throw new UnknownForm(`two policies are named \`${policyId}\``);
      ids.add(policyId);
      add(body, policyId, filledSlots(body.json, slots));
    }
    return policies;
  } catch (thrown) {
    for (const { reference } of policies) reference?.release();
    if (!(thrown instanceof UnknownForm) && !(thrown instanceof InvalidInput)) throw thrown;
    throw new InvalidSource([problemAt('policies', '', undefined, thrown.message)]);
  }
}

/** @throws UnknownForm when they are not the slots of the template */
function filledSlots(
  { principal, resource }: PolicyJson,
  slots: TemplateLink['slots'],
): ReadonlyMap<string, EntityUid> {
  const open = [principal, resource].flatMap(({ slot, in: within }) => slot ?? within?.slot ?? []);
  const filled = new Map(
    Object.entries(slots).map(([slot, uid]) => [slot, readUid(uid, `slot \`${slot}\``)]),
  );
  if (filled.size !== open.length || !open.every((slot) => filled.has(slot)))
    throw new UnknownForm(`the slots of the template are ${open.map((slot) => `\`${slot}\``).join(' and ')}`);
  return filled;
}
