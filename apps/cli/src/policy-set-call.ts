import {
  PolicySetServiceService,
  TestPolicySetRequest,
  TestPolicySetResponse,
} from '@writ/contracts/writ/policy/v1/policy_set.js';
import { refusalOf } from '@writ/service';
import { CliFailure, usage } from './cli-failure.js';
import { type ExitCode, exitCodes } from './exit-codes.js';
import { at, isObject, type Json, type JsonObject, listAt, textAt } from './json.js';
import { differences } from './policy-diff.js';
import { counted, findingLines, findingsOf, foundIn, PolicyFolder } from './policy-folder.js';
import { type UnaryRpc, unary } from './rpc.js';
import type { Argument } from './verb.js';
import type { Work } from './work.js';

const timeoutMsDefault = 30_000;

export const testPolicySet: UnaryRpc = unary(
  'policy-engine',
  PolicySetServiceService.testPolicySet,
  TestPolicySetRequest,
  TestPolicySetResponse,
);

/** The folder of a policy set; it fills policies, schema and tests of the request. */
export const folderArgument: Argument = {
  name: 'DIR',
  doc: 'folder with `*.cedar`, `schema.cedarschema` and `tests/*.yaml`',
  read: async (folder, files) => (await PolicyFolder.read(folder, files)).request(),
};

/** The same without running its tests. */
export const textsArgument: Argument = {
  ...folderArgument,
  read: async (folder, files) => {
    const { policies, schema } = (await PolicyFolder.read(folder, files)).request();
    return { policies, schema };
  },
};

/** A busy machine takes its time to validate policies. */
export function callPatiently(work: Work, rpc: UnaryRpc): Promise<JsonObject> {
  return work.suite.call(rpc, work.request, work.settings.timeoutMs ?? timeoutMsDefault);
}

/** What is wrong with the texts of a folder, each problem in its file. */
export async function checkFolder(work: Work): Promise<JsonObject> {
  const folder = await folderOf(work);
  const answer = await callPatiently(work, testPolicySet);
  return { problems: findingsOf(folder, answer).map((finding) => ({ ...finding })) };
}

/** What its tests came to, each with its place. Throws where the texts are not right. */
export async function testFolder(work: Work): Promise<JsonObject> {
  const folder = await folderOf(work);
  const answer = await orLocated(folder, () => callPatiently(work, testPolicySet));
  const findings = findingsOf(folder, answer);
  if (findings.length > 0) throw foundIn('the policy set cannot be tested', findings);
  return { results: resultsOf(folder, answer) };
}

/** Applies; a refusal of a folder is told in terms of its files, by asking again what is wrong with it. */
export async function applySet(work: Work, rpc: UnaryRpc): Promise<JsonObject> {
  const [dir] = work.args;
  if (dir === undefined) {
    const missing = ['policies', 'schema'].find((field) => !(field in work.request));
    if (missing !== undefined) throw usage(`\`DIR\` or \`--${missing}-file\` is needed`);
    return callPatiently(work, rpc);
  }
  const folder = await folderOf(work);
  try {
    return await orLocated(folder, () => callPatiently(work, rpc));
  } catch (error) {
    const reason = refusalOf(error)?.reason;
    if (reason !== 'POLICY_SET_INVALID' && reason !== 'POLICY_TESTS_FAILED') throw error;
    const { policies = '', schema = '', tests = [] } = work.request;
    const answer = await callPatiently({ ...work, request: { policies, schema, tests } }, testPolicySet);
    const findings = findingsOf(folder, answer);
    if (findings.length > 0) throw foundIn('the policy set was not applied', findings);
    const failed = resultsOf(folder, answer).filter(({ passed }) => passed !== true);
    if (failed.length > 0) throw failedTests(failed, dir);
    throw error;
  }
}

/** How a folder differs from a set that was applied. */
export async function diffFolder(work: Work, rpc: UnaryRpc): Promise<JsonObject> {
  const folder = await folderOf(work);
  const set = await callPatiently(work, rpc);
  const [policies, schema] = [textAt(set, 'policies'), textAt(set, 'schema')];
  const found = differences({ policies, schema, tests: listAt(set, 'tests') }, folder.request());
  return { against: textAt(set, 'policySetId'), version: Number(textAt(set, 'version')), differences: found };
}

function folderOf({ args, suite }: Work): Promise<PolicyFolder> {
  return PolicyFolder.read(args[0] ?? '.', suite.files);
}

/** Bad fields of tests are named by file and line. */
async function orLocated(folder: PolicyFolder, ask: () => Promise<JsonObject>): Promise<JsonObject> {
  try {
    return await ask();
  } catch (error) {
    const { reason, fields = [] } = refusalOf(error) ?? {};
    if (reason !== 'INVALID_ARGUMENT' || !fields.some(({ field }) => field.startsWith('tests'))) throw error;
    const located = fields.map((one) => folder.located(one));
    throw new CliFailure(exitCodes.invalid, `tests are not right: ${counted(located.length, 'problem')}`, {
      fields: located,
      lines: located.map(({ field, description }) => `${field}: ${description}`),
      cause: error,
    });
  }
}

function resultsOf(folder: PolicyFolder, answer: Json): readonly JsonObject[] {
  return listAt(answer, 'results').map((result, index) => {
    const { file = '', line = 0 } = folder.testPlace(index) ?? {};
    return { ...(isObject(result) ? result : {}), file, line };
  });
}

function failedTests(failed: readonly JsonObject[], dir: string): CliFailure {
  return new CliFailure(
    exitCodes.invalid,
    `the policy set was not applied: ${counted(failed.length, 'test')} failed`,
    {
      fields: failed.map((one) => ({ field: whereOf(one), description: textAt(one, 'failure') })),
      lines: failed.flatMap(failureLines),
      next: `writ policy test ${dir}`,
    },
  );
}

function whereOf(result: Json): string {
  return `${textAt(result, 'file')}:${textAt(result, 'line')}`;
}

function failureLines(result: Json): readonly string[] {
  return [
    `failed  ${textAt(result, 'name')}`,
    `        ${textAt(result, 'failure')}`,
    `        at ${whereOf(result)}`,
  ];
}

export function checkLines(answer: JsonObject): readonly string[] {
  const problems = listAt(answer, 'problems');
  if (problems.length === 0) return ['ok'];
  const lines = problems.flatMap((one) =>
    findingLines({
      file: textAt(one, 'file'),
      line: Number(textAt(one, 'line')),
      column: Number(textAt(one, 'column')),
      message: textAt(one, 'message'),
      excerpt: textAt(one, 'excerpt'),
    }),
  );
  return [...lines, counted(problems.length, 'problem')];
}

export function testLines(answer: JsonObject): readonly string[] {
  const results = listAt(answer, 'results');
  const failed = results.filter((result) => !hasPassed(result));
  const lines = results.flatMap((one) =>
    hasPassed(one) ? [`ok      ${textAt(one, 'name')}`] : failureLines(one),
  );
  return [...lines, `${results.length - failed.length} passed, ${failed.length} failed`];
}

function hasPassed(result: Json): boolean {
  return at(result, 'passed') === true;
}

export function checkCode(answer: JsonObject): ExitCode {
  return listAt(answer, 'problems').length > 0 ? exitCodes.invalid : exitCodes.ok;
}

export function testCode(answer: JsonObject): ExitCode {
  return listAt(answer, 'results').every(hasPassed) ? exitCodes.ok : exitCodes.invalid;
}
