import { Injectable } from '@nestjs/common';
import {
  type ApplyPolicySetRequest,
  type GetPolicySetRequest,
  type ListPolicySetsRequest,
  type ListPolicySetsResponse,
  type PolicySet,
  PolicySetServiceService,
} from '@writ/contracts/writ/policy/v1/policy_set.js';
import { CommandHandler } from '@writ/event-store';
import { type Call, digestOfJson, Refusal, refusals } from '@writ/kernel';
import { type Access, type Calls, check, id, optional, Pages, required, sha256, text } from '@writ/service';
import { KnowledgeFeed } from '../decision/knowledge.background.js';
import { PolicyLanguage, type PolicyProblem, type PolicySource } from './policies.provider.js';
import { policySetFacts } from './policy-set.facts.js';
import { POLICY_SET_STREAM, policySetDecider } from './policy-set.js';
import { type PolicySetRow, PolicySetView } from './policy-set.view.js';

const readers = ['role:admin', 'role:operator', 'role:auditor', 'role:security'] as const;

export const policySetAccess = {
  applyPolicySet: ['role:admin', 'role:security'],
  getPolicySet: readers,
  listPolicySets: readers,
} as const satisfies Access<typeof PolicySetServiceService>;

const refuse = refusals({ POLICY_SET_UNKNOWN: 'not-found', ETAG_STALE: 'stale' });

/** In UTF-8 bytes. One fact holds both texts, and a bus record has room for 1 MiB. */
const policiesBytesMax = 512 * 1024;
const schemaBytesMax = 128 * 1024;
const noteCharactersMax = 500;

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
    const { policies, schema, note, etag, validateOnly } = request;
    check({
      policies: required(policies, bytesAtMost(policies, policiesBytesMax)),
      schema: required(schema, bytesAtMost(schema, schemaBytesMax)),
      note: optional(note, text(note, { max: noteCharactersMax, multiline: true })),
      etag: optional(etag, /^\d{1,9}$/.test(etag) ? undefined : 'must be the etag of the active policy set'),
    });
    this.#checkText({ policies, schema });
    const digest = digestOfJson({ policies, schema }, sha256);
    const policySetId = call.newId('pol');
    if (validateOnly) return this.#preview({ policySetId, policies, schema, digest, note }, etag, call);
    const command = { type: 'ApplyPolicySet', policySetId, policies, schema, digest, note } as const;
    const handled = await this.commands.handle({
      decider: policySetDecider,
      facts: policySetFacts,
      streamId: POLICY_SET_STREAM,
      kind: 'policy-set',
      partKey: POLICY_SET_STREAM,
      command,
      call,
      expectedEtag: etag,
    });
    // Whoever asks this replica next is decided under the new set.
    await this.knowledge.refresh();
    return this.#answer(await this.sets.get(handled.state.policySetId), handled.state.policySetId);
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

  #checkText(source: PolicySource): void {
    const problems = this.language.problems(source);
    if (problems.length === 0) return;
    const fields = problems.map((problem) => ({ field: problem.field, description: described(problem) }));
    const [first] = fields;
    const summary = `\`${first?.field}\` cannot be applied: ${first?.description}`;
    throw new Refusal('POLICY_SET_INVALID', 'invalid', summary, fields);
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
    if (row === undefined && policySetId === '')
      throw refuse('POLICY_SET_UNKNOWN', 'no policy set was ever applied; apply one');
    if (row === undefined)
      throw refuse(
        'POLICY_SET_UNKNOWN',
        `no policy set \`${policySetId}\`; list them to see which there are`,
      );
    return message(row, (await this.sets.active())?.version);
  }
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

function bytesAtMost(value: string, bytes: number): string | undefined {
  return Buffer.byteLength(value) <= bytes ? undefined : `must have at most ${bytes} bytes`;
}
