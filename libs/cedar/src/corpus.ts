import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Answer } from './answer.js';
import { parseJson } from './json.js';
import { PolicySet } from './policy-set.js';

/** What running a folder of cases came to. */
export interface CorpusResult {
  readonly cases: number;
  readonly requests: number;
  /** One line for each request whose answer is not the expected one. */
  readonly differing: readonly string[];
  /** How many evaluations the reference did, because the compiler did not take a policy. */
  readonly byFallback: number;
}

interface Case {
  readonly policies: string;
  readonly entities: string;
  readonly schema: string;
  readonly requests: readonly Expected[];
}

interface Expected {
  readonly description?: string;
  readonly principal: unknown;
  readonly action: unknown;
  readonly resource: unknown;
  readonly context: unknown;
  readonly decision: 'allow' | 'deny';
  readonly reason: readonly string[];
  readonly errors: readonly string[];
}

/**
 * Runs cases in the format of cedar-integration-tests: a folder with `corpus-tests/` or `tests/`, or such a folder itself.
 *
 * @throws Error when there is no case, or one cannot be read
 */
export function runCorpus(folder: string): CorpusResult {
  const names = caseNames(folder);
  if (names.length === 0) throw new Error(`no cases in \`${folder}\``);
  const differing: string[] = [];
  let requests = 0;
  let byFallback = 0;
  for (const name of names) {
    const one = parseJson(readFileSync(name, 'utf8')) as Case;
    const text = (file: string) => readFileSync(beside(name, file), 'utf8');
    const set = PolicySet.prepare({ policies: text(one.policies), schema: text(one.schema) });
    const entities = set.entities(parseJson(text(one.entities)) as unknown[]);
    for (const [index, request] of one.requests.entries()) {
      requests += 1;
      const answer = set.evaluate({ ...request, entities });
      const difference = differenceOf(answer, request);
      if (difference !== undefined) differing.push(`${name} request ${index}: ${difference}`);
    }
    byFallback += set.evaluatedByReference;
    set.release();
  }
  return { cases: names.length, requests, differing, byFallback };
}

function caseNames(folder: string): readonly string[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => file.endsWith('.json') && !file.endsWith('.entities.json'))
    .toSorted()
    .map((file) => join(folder, file))
    .filter((file) => /"requests"\s*:/.test(readFileSync(file, 'utf8')));
}

/** Cases name their files from the folder that holds the one with the cases. */
function beside(caseName: string, file: string): string {
  const [top = ''] = file.split('/');
  const at = caseName.lastIndexOf(`/${top}/`);
  return at === -1 ? join(caseName, '..', file) : join(caseName.slice(0, at), file);
}

function differenceOf(answer: Answer, expected: Expected): string | undefined {
  const parts = [
    [answer.decision, expected.decision],
    [answer.reasons.toSorted().join(), expected.reason.toSorted().join()],
    [answer.errors.length, expected.errors.length],
  ].filter(([got, wanted]) => got !== wanted);
  if (parts.length === 0) return undefined;
  const messages = answer.errors.map(({ message }) => message).join('; ');
  return `${parts.map(([got, wanted]) => `got \`${got}\`, expected \`${wanted}\``).join('; ')} ${messages}`;
}
