import { PolicyTest } from '@writ/contracts/writ/policy/v1/policy_set_facts.js';
import { stringify } from 'yaml';
import type { Json, JsonObject } from './json.js';
import { listAt, textAt } from './json.js';
import { lineDiff } from './line-diff.js';
import { counted } from './policy-folder.js';
import { policiesOf } from './policy-texts.js';

/** One thing that differs between two policy sets. */
type Difference = {
  readonly kind: 'policy' | 'schema' | 'test';
  /** Of a policy its id, of a test its name. */
  readonly id: string;
  readonly change: 'added' | 'removed' | 'changed';
  /** Lines that begin with a space, `-` or `+`. */
  readonly diff: string;
};

interface Content {
  readonly policies: string;
  readonly schema: string;
  readonly tests: readonly Json[];
}

/** How one set becomes the other: policies by their id, in the order of their ids, then the schema, then tests by their name. */
export function differences(before: Content, after: Content): readonly Difference[] {
  const policies = ({ policies }: Content) => grouped(policiesOf(policies).map(({ id, text }) => [id, text]));
  const tests = ({ tests: all }: Content) =>
    grouped(all.map((test) => [textAt(test, 'name'), testText(test)]));
  const schema = lineDiff(before.schema.trimEnd(), after.schema.trimEnd());
  return [
    ...between('policy', policies(before), policies(after)),
    ...(schema.length === 0
      ? []
      : [{ kind: 'schema', id: 'schema', change: 'changed', diff: schema.join('\n') } as const]),
    ...between('test', tests(before), tests(after)),
  ];
}

/** Those of one name stand together: names are unique only in a set that is right. */
function grouped(texts: readonly (readonly [string, string])[]): ReadonlyMap<string, string> {
  const byName = new Map<string, string>();
  for (const [name, text] of texts)
    byName.set(name, byName.has(name) ? `${byName.get(name)}\n${text}` : text);
  return byName;
}

function between(
  kind: Difference['kind'],
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): readonly Difference[] {
  const ids = [...new Set([...before.keys(), ...after.keys()])].sort();
  return ids.flatMap((id): Difference[] => {
    const [old, fresh] = [before.get(id), after.get(id)];
    if (old === fresh) return [];
    const change = old === undefined ? 'added' : fresh === undefined ? 'removed' : 'changed';
    if (change === 'changed')
      return [{ kind, id, change, diff: lineDiff(old ?? '', fresh ?? '').join('\n') }];
    const mark = change === 'added' ? '+' : '-';
    const lines = (fresh ?? old ?? '').split('\n').map((line) => `${mark}${line}`);
    return [{ kind, id, change, diff: lines.join('\n') }];
  });
}

/** One spelling, whatever was left out. */
function testText(test: Json): string {
  return stringify(PolicyTest.toJSON(PolicyTest.fromJSON(test))).trimEnd();
}

export function diffLines(answer: JsonObject): readonly string[] {
  const all = listAt(answer, 'differences');
  const lines = all.flatMap((one) => [
    `${textAt(one, 'kind') === 'schema' ? 'schema' : `${textAt(one, 'kind')} ${textAt(one, 'id')}`}: ${textAt(one, 'change')}`,
    ...textAt(one, 'diff')
      .split('\n')
      .map((line) => `  ${line}`),
  ]);
  const against = `${textAt(answer, 'against')}, version ${textAt(answer, 'version')}`;
  return [
    ...lines,
    `${all.length === 0 ? 'no differences' : counted(all.length, 'difference')} against ${against}`,
  ];
}
