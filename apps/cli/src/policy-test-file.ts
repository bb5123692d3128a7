import { isAlias, isMap, isSeq, LineCounter, type Node, type ParsedNode, parseDocument } from 'yaml';
import { contract } from './contract.js';
import { isObject, type Json, type JsonObject } from './json.js';
import { ValueReader } from './value-reader.js';

/** A place in a file, from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** What is wrong at a place. */
export interface Finding extends Place {
  readonly message: string;
  /** The line in question and, below it, a caret under the place. Empty when the finding has no one place. */
  readonly excerpt: string;
}

/** A file of policy tests, as far as it could be read. */
export interface TestFile {
  /** In proto3 JSON, what the file gives all of them put in. */
  readonly tests: readonly JsonObject[];
  /** Where a test stands, or a part of it: `agent.owner` of the third. */
  placeOf(index: number, part: string): Place;
  readonly findings: readonly Finding[];
}

const members = ['given', 'tests'];
const ownMembers = ['name', 'expect'];

/**
 * Reads `tests:`, a list of `writ.policy.v1.PolicyTest`, and `given:`, what holds in each of them that does not say
 * otherwise. Nothing unknown passes: a misspelt member would make a test ask something else than its author means.
 */
export function readTestFile(file: string, text: string): TestFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { prettyErrors: false, lineCounter: lines });
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  const placeOf = (path: string) => place(offsetOf(document.contents, path));
  const finding = (at: Place, message: string): Finding => ({
    ...at,
    message,
    excerpt: `${text.split('\n')[at.line - 1] ?? ''}\n${' '.repeat(at.column - 1)}^`,
  });
  const wrong = (path: string, message: string) => finding(placeOf(path), `\`${path}\` ${message}`);
  const inFile = (index: number, part: string) =>
    placeOf(part === '' ? `tests[${index}]` : `tests[${index}].${part}`);
  const broken = document.errors.map(({ pos, message }) => finding(place(pos[0]), message));
  if (broken.length > 0) return { tests: [], placeOf: inFile, findings: broken };
  const content = document.toJS() as Json;
  if (!isObject(content) || !Array.isArray(content.tests))
    return { tests: [], placeOf: inFile, findings: [finding(place(0), 'must have `tests`, a list')] };
  const strange = Object.keys(content)
    .filter((name) => !members.includes(name))
    .map((name) => wrong(name, `is no member; there are ${members.map((one) => `\`${one}\``).join(', ')}`));
  const given = read(content.given ?? {}, 'given');
  const own = ownMembers
    .filter((name) => name in given.message)
    .map((name) => ({ field: `given.${name}`, description: 'is of one test alone' }));
  const tests = (content.tests as readonly Json[]).map((test, index) => read(test, `tests[${index}]`));
  const problems = [...given.problems, ...own, ...tests.flatMap((test) => test.problems)];
  return {
    tests: tests.map(({ message }) => joined(given.message, message)),
    placeOf: inFile,
    findings: [...strange, ...problems.map(({ field, description }) => wrong(field, description))],
  };
}

function read(content: Json, path: string) {
  const counted: { typed: string; time: string }[] = [];
  const reader = new ValueReader(new Date(0), false, counted);
  const message = reader.message(contract.message('writ.policy.v1.PolicyTest'), content, path);
  const durations = counted.map(() => ({
    field: `${path}.time`,
    description: 'must be an RFC 3339 time: a test has one answer for ever',
  }));
  return { message, problems: [...reader.problems, ...durations] };
}

/** What the test says itself comes last; of objects, member by member. */
function joined(given: JsonObject, own: { readonly [member: string]: Json }): JsonObject {
  const result = { ...given };
  for (const [name, value] of Object.entries(own)) {
    const before = given[name];
    result[name] = isObject(before) && isObject(value) ? joined({ ...before }, value) : value;
  }
  return result;
}

/** Where the deepest part of `tests[2].agent.owner` that is there begins. */
function offsetOf(root: ParsedNode | Node | null, path: string): number {
  let node: unknown = root;
  let offset = 0;
  for (const step of path.split(/[.[\]]+/).filter((part) => part !== '')) {
    if (isMap(node)) {
      const index = /^\d+$/.test(step) ? Number(step) : -1;
      const pair =
        node.items[index] ?? node.items.find(({ key }) => spelling(String(key)) === spelling(step));
      if (pair === undefined) break;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(step)];
      offset = (node as Node | undefined)?.range?.[0] ?? offset;
    }
    if (node === undefined || node === null || isAlias(node)) break;
  }
  return offset;
}

/** A member in whatever way it is written: `sponsor-id`, `sponsorId`, `sponsor_id`. */
function spelling(name: string): string {
  return name.replaceAll('-', '_').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
