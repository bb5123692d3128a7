import { Injectable } from '@nestjs/common';
import {
  type ApplyPolicySetRequest,
  type GetPolicySetRequest,
  type ListPolicySetsRequest,
  type ListPolicySetsResponse,
  type PolicySet,
  type PolicySetProblem,
  PolicySetServiceService,
  type RollbackPolicySetRequest,
  type TestPolicySetRequest,
  type TestPolicySetResponse,
} from '@writ/contracts/writ/policy/v1/policy_set.js';
import { PolicyTest } from '@writ/contracts/writ/policy/v1/policy_set_facts.js';
import { CommandHandler } from '@writ/event-store';
import { type Call, digestOfJson, type Json, Refusal, refusals } from '@writ/kernel';
import {
  type Access,
  type Calls,
  check,
  id,
  optional,
  Pages,
  type Problem,
  required,
  sha256,
  text,
} from '@writ/service';
import { KnowledgeFeed } from '../decision/knowledge.background.js';
import { PolicyLanguage, type PolicyProblem } from './policies.provider.js';
import { excerptOf, gathered, hiddenProblems } from './policy-problem.js';
import { policySetFacts } from './policy-set.facts.js';
import { POLICY_SET_STREAM, policySetDecider } from './policy-set.js';
import { type PolicySetRow, PolicySetView } from './policy-set.view.js';
import { runTests, testProblems } from './policy-test.flow.js';

const readers = ['role:admin', 'role:operator', 'role:auditor', 'role:security'] as const;
const authors = ['role:admin', 'role:security'] as const;

export const policySetAccess = {
  applyPolicySet: authors,
  rollbackPolicySet: authors,
  testPolicySet: ['role:admin', 'role:operator', 'role:security'],
  getPolicySet: readers,
  listPolicySets: readers,
} as const satisfies Access<typeof PolicySetServiceService>;

const refuse = refusals({ POLICY_SET_UNKNOWN: 'not-found', ETAG_STALE: 'stale' });

/** In UTF-8 bytes, tests as protobuf. One fact holds all three, and a bus record has room for 1 MiB. */
const policiesBytesMax = 512 * 1024;
const schemaBytesMax = 128 * 1024;
const testsBytesMax = 256 * 1024;
const noteCharactersMax = 500;

/** What is applied as a whole. */
type Content = Pick<PolicySetRow, 'policies' | 'schema' | 'tests'>;
type NewSet = Omit<PolicySetRow, 'version' | 'applyTime' | 'policySetId'>;

@Injectable()
export class PolicySetRpc implements Calls<typeof PolicySetServiceService> {
  static readonly service = PolicySetServiceService;
  static readonly access = policySetAccess;

  constructor(
    private readonly commands: CommandHandler,
    private readonly sets: PolicySetView,
    private readonly language: PolicyLanguage,
    private readonly knowledge: KnowledgeFeed,
    private readonly pages: Pages,
  ) {}

  async applyPolicySet(request: ApplyPolicySetRequest, call: Call): Promise<PolicySet> {
    const { policies, schema, tests, note, etag } = request;
    check({ ...contentProblems(request), ...orderProblems(request) });
    this.#mustHold(request);
    const digest = digestOf({ policies, schema, tests });
    const set = { policies, schema, tests, digest, note, restoredPolicySetId: '' };
    return this.#apply(set, { etag, validateOnly: request.validateOnly }, call);
  }

  async rollbackPolicySet(request: RollbackPolicySetRequest, call: Call): Promise<PolicySet> {
    const { policySetId, note, etag, validateOnly } = request;
    check({ policy_set_id: required(policySetId, id('pol', policySetId)), ...orderProblems(request) });
    const earlier = await this.sets.get(policySetId);
    if (earlier === undefined) throw unknownSet(policySetId);
    // It held when it was applied; the engine may have become stricter since.
    this.#mustHold(earlier);
    const { policies, schema, tests, digest } = earlier;
    const set = { policies, schema, tests, digest, note, restoredPolicySetId: policySetId };
    return this.#apply(set, { etag, validateOnly }, call);
  }

  async testPolicySet(request: TestPolicySetRequest, _call: Call): Promise<TestPolicySetResponse> {
    check(contentProblems(request));
    const problems = this.#problems(request).map((problem) => problemMessage(problem, request));
    if (problems.length > 0) return { problems, results: [] };
    return { problems: [], results: [...runTests(this.language, request, request.tests)] };
  }

  async getPolicySet({ policySetId }: GetPolicySetRequest, _call: Call): Promise<PolicySet> {
    check({ policy_set_id: optional(policySetId, id('pol', policySetId)) });
    const found = policySetId === '' ? await this.sets.active() : await this.sets.get(policySetId);
    return this.#answer(found, policySetId);
  }

  async listPolicySets(request: ListPolicySetsRequest, call: Call): Promise<ListPolicySetsResponse> {
    const page = this.pages.open(request, { list: 'policySets', caller: call.caller.id });
    const below = page.after === undefined ? versionMax : Number(page.after);
    const found = await this.sets.list(below, page.size + 1);
    const { rows, nextPageToken } = page.cut(found, ({ version }) => String(version));
    const active = await this.sets.active();
    return { policySets: rows.map((row) => message(row, active?.version)), nextPageToken };
  }

  #problems(set: Content): readonly PolicyProblem[] {
    return gathered([...hiddenProblems(set), ...this.language.problems(set)]);
  }

  /** A set that does not validate, or whose tests fail, cannot become active. */
  #mustHold(set: Content): void {
    const problems = this.#problems(set);
    const [first] = problems;
    if (first !== undefined) {
      const fields = problems.map((problem) => ({ field: problem.field, description: described(problem) }));
      const summary = `\`${first.field}\` cannot be applied: ${described(first)}`;
      throw new Refusal('POLICY_SET_INVALID', 'invalid', summary, fields);
    }
    const failed = runTests(this.language, set, set.tests).flatMap(({ name, failure }, place) =>
      failure === '' ? [] : [{ field: `tests[${place}]`, description: `\`${name}\`: ${failure}` }],
    );
    const [failure] = failed;
    if (failure === undefined) return;
    const summary = `${failed.length} of ${set.tests.length} tests failed: ${failure.description}`;
    throw new Refusal('POLICY_TESTS_FAILED', 'invalid', summary, failed);
  }

  async #apply(
    set: NewSet,
    { etag, validateOnly }: { etag: string; validateOnly: boolean },
    call: Call,
  ): Promise<PolicySet> {
    const policySetId = call.newId('pol');
    if (validateOnly) return this.#preview({ ...set, policySetId }, etag, call);
    const handled = await this.commands.handle({
      decider: policySetDecider,
      facts: policySetFacts,
      streamId: POLICY_SET_STREAM,
      kind: 'policy-set',
      partKey: POLICY_SET_STREAM,
      command: { type: 'ApplyPolicySet', policySetId, ...set },
      call,
      expectedEtag: etag,
    });
    // Whoever asks this replica next is decided under the new set.
    await this.knowledge.refresh();
    return this.#answer(await this.sets.get(handled.state.policySetId), handled.state.policySetId);
  }

  async #preview(
    set: Omit<PolicySetRow, 'version' | 'applyTime'>,
    etag: string,
    call: Call,
  ): Promise<PolicySet> {
    const active = await this.sets.active();
    const version = active?.version ?? 0;
    if (etag !== '' && etag !== String(version))
      throw refuse(
        'ETAG_STALE',
        `the active policy set has etag \`${version}\`, not \`${etag}\`; read it again`,
      );
    if (active?.digest === set.digest) return message(active, version);
    return message({ ...set, version: version + 1, applyTime: call.at }, version);
  }

  async #answer(row: PolicySetRow | undefined, policySetId: string): Promise<PolicySet> {
    if (row === undefined) throw unknownSet(policySetId);
    return message(row, (await this.sets.active())?.version);
  }
}

function contentProblems({ policies, schema, tests }: Content): Record<string, Problem> {
  const problems = testProblems(tests);
  return {
    policies: required(policies, textOfAtMost(policies, policiesBytesMax)),
    schema: required(schema, textOfAtMost(schema, schemaBytesMax)),
    ...problems,
    // Only what is right in each field can be encoded.
    ...(Object.values(problems).some((problem) => problem !== undefined) ? {} : { tests: tooLarge(tests) }),
  };
}

function tooLarge(tests: readonly PolicyTest[]): Problem {
  const bytes = tests.reduce((sum, test) => sum + PolicyTest.encode(test).finish().length, 0);
  return bytes <= testsBytesMax ? undefined : `must have at most ${testsBytesMax} bytes`;
}

function orderProblems({ note, etag }: { note: string; etag: string }): Record<string, Problem> {
  return {
    note: optional(note, text(note, { max: noteCharactersMax, multiline: true })),
    etag: optional(etag, /^\d{1,9}$/.test(etag) ? undefined : 'must be the etag of the active policy set'),
  };
}

/** The same digest for texts without tests as before there were any. */
function digestOf({ policies, schema, tests }: Content): string {
  const json = tests.map((test) => PolicyTest.toJSON(test) as Json);
  return digestOfJson({ policies, schema, ...(json.length > 0 && { tests: json }) }, sha256);
}

function unknownSet(policySetId: string): Refusal {
  if (policySetId === '') return refuse('POLICY_SET_UNKNOWN', 'no policy set was ever applied; apply one');
  return refuse('POLICY_SET_UNKNOWN', `no policy set \`${policySetId}\`; list them to see which there are`);
}

/** PostgreSQL's `int`. */
const versionMax = 2 ** 31 - 1;

function message({ applyTime, ...set }: PolicySetRow, activeVersion: number | undefined): PolicySet {
  return {
    ...set,
    name: `policySets/${set.policySetId}`,
    active: set.version === activeVersion,
    applyTime,
    etag: String(set.version),
  };
}

/** `line 3, column 7: unexpected token` */
function described({ line, column, message: what }: PolicyProblem): string {
  return line === 0 ? what : `line ${line}, column ${column}: ${what}`;
}

function textOfAtMost(value: string, bytes: number): Problem {
  if (Buffer.byteLength(value) > bytes) return `must have at most ${bytes} bytes`;
  // PostgreSQL cannot keep one, wherever it stands.
  return value.includes('\0') ? 'must have no NUL character' : undefined;
}

function problemMessage(problem: PolicyProblem, source: Content): PolicySetProblem {
  const { field, line, column } = problem;
  return { ...problem, excerpt: excerptOf(source[field], line, column) };
}
