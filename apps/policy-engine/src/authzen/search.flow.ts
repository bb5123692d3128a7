import { Injectable } from '@nestjs/common';
import { type AccessTokenClaims, type Action, actionJson, type Hop } from '@writ/authority';
import { type Call, type Json, Refusal } from '@writ/kernel';
import { type Page, Pages } from '@writ/service';
import { Decisions, questionOf, type SessionClaims } from '../decision/decision.flow.js';
import { KnowledgeFeed } from '../decision/knowledge.background.js';
import type { KnownSession } from '../decision/knowledge.js';
import { PresentedTokens } from '../decision/presented-token.store.js';
import {
  type Entity,
  readAction,
  readProof,
  readSubject,
  refuse,
  SUBJECT_TYPE,
  type Tuple,
  tupleOf,
} from './authzen.js';
import { proofProblems } from './evaluation.flow.js';
import { MemberReader, type Members, own } from './members.js';
import {
  behindAgent,
  type Found,
  searched,
  sessionKey,
  sessionsInOrder,
  thingEntity,
  thingKey,
  thingsOf,
  verbsOf,
} from './search.js';

export interface SearchJson {
  readonly results: readonly object[];
  readonly page: { readonly next_token: string; readonly count: number };
}

/** Whose session a search looks through. */
interface Searcher {
  readonly claims: AccessTokenClaims;
  readonly hops: readonly Hop[];
}

/**
 * The searches of the Authorization API. A result is what would be allowed now, by the very rules of a decision. Nothing is
 * recorded or used up, what limits have left is not looked at, and what needs an approval is not found.
 */
@Injectable()
export class Searches {
  constructor(
    private readonly decisions: Decisions,
    private readonly tokens: PresentedTokens,
    private readonly knowledge: KnowledgeFeed,
    private readonly pages: Pages,
  ) {}

  /** Verbs for one thing. An action whose verdict depends on an amount is not found: a search for verbs names none. */
  async actions(body: Members, call: Call): Promise<SearchJson> {
    const { reader, tuple, subject, open } = this.#begin(body, call);
    const named = readNamed(reader, { ...tuple, action: undefined }, { name: 'any' });
    const page = open({ search: 'action', subject, action: named && actionJson(named) });
    const searcher = await this.#searcher(reader, tuple, subject, call);
    if (searcher === undefined || named === undefined) return nothing;
    return searchJson(
      page,
      searched({
        candidates: verbsOf(searcher.hops, named.type),
        key: (name) => name,
        ...page,
        examine: (name) => (this.#allows(searcher.claims, { ...named, name }, call) ? { name } : undefined),
      }),
    );
  }

  /** Things for one verb, of those that the grants name one by one. */
  async resources(body: Members, call: Call): Promise<SearchJson> {
    const { reader, tuple, subject, open } = this.#begin(body, call);
    const named = readNamed(reader, tuple, { id: '' });
    const page = open({ search: 'resource', subject, action: named && actionJson(named) });
    const searcher = await this.#searcher(reader, tuple, subject, call);
    if (searcher === undefined || named === undefined) return nothing;
    const { type, name, location } = named;
    const things = thingsOf(searcher.hops, type, name);
    return searchJson(
      page,
      searched({
        // A place that the request names narrows the search; one that the grant does not name is taken from it.
        candidates: things.filter(
          (thing) => location === undefined || (thing.location ?? location) === location,
        ),
        key: thingKey,
        ...page,
        examine: (thing) => {
          const place = thing.location ?? location;
          const action = { ...named, identifier: thing.id, ...(place !== undefined && { location: place }) };
          return this.#allows(searcher.claims, action, call)
            ? thingEntity(type, { ...thing, location: place })
            : undefined;
        },
      }),
    );
  }

  /** Agents with an open session in which this would be allowed, whoever their sessions belong to. */
  async subjects(body: Members, call: Call): Promise<SearchJson> {
    const { reader, tuple, open } = this.#begin(body, call, { subjectId: 'ignored' });
    const type = reader.text(own(tuple.subject ?? {}, 'type'), 'subject.type');
    const action = readNamed(reader, tuple);
    const page = open({ search: 'subject', type, action: action && actionJson(action) });
    if (type !== SUBJECT_TYPE || action === undefined) return nothing;
    return searchJson(
      page,
      searched({
        candidates: sessionsInOrder(this.#openSessions(call), page.after),
        key: sessionKey,
        behind: behindAgent,
        ...page,
        examine: (session) =>
          this.#allows(claimsOf(session), action, call)
            ? ({ type: SUBJECT_TYPE, id: session.agentId } satisfies Entity)
            : undefined,
      }),
    );
  }

  #begin(body: Members, call: Call, { subjectId = 'read' }: { subjectId?: 'read' | 'ignored' } = {}) {
    const reader = new MemberReader();
    const tuple = tupleOf(reader, body);
    if (subjectId === 'ignored' && tuple.subject === undefined) reader.wrong('subject', 'is required');
    const subject = subjectId === 'read' ? readSubject(reader, tuple) : { type: '', id: '' };
    const wish = reader.optionalObject(own(body, 'page'), 'page');
    const open = (scope: Record<string, Json | Entity | undefined>): Page => {
      const token = reader.optionalText(own(wish, 'token'), 'page.token');
      const limit = own(wish, 'limit') ?? 0;
      if (typeof limit !== 'number' || !Number.isSafeInteger(limit) || limit < 0)
        reader.wrong('page.limit', 'must be a whole number, 0 for the default');
      reader.end();
      return this.#page(Number(limit), token, { caller: call.caller.id, ...scope } as Json);
    };
    return { reader, tuple, subject, open };
  }

  #page(pageSize: number, pageToken: string, scope: Json): Page {
    try {
      return this.pages.open({ pageSize, pageToken }, scope);
    } catch (cause) {
      if (!(cause instanceof Refusal)) throw cause;
      const reader = new MemberReader();
      reader.wrong('page.token', 'must be the `next_token` of the same search; start again without it');
      reader.end();
      throw cause;
    }
  }

  /** Undefined for a subject that is not known here, or is none of the caller's business: then nothing is found. */
  async #searcher(
    reader: MemberReader,
    tuple: Tuple,
    subject: Entity,
    call: Call,
  ): Promise<Searcher | undefined> {
    const { known } = this.knowledge;
    const isOther = call.caller.kind === 'agent' && call.caller.id !== subject.id;
    if (subject.type !== SUBJECT_TYPE || isOther || known.agent(subject.id) === undefined) return undefined;
    const proof = readProof(reader, tuple);
    proofProblems(reader, proof, call);
    reader.end();
    const claims = await this.tokens.read(proof.token, proof.presentedCertificateSha256, call);
    if (claims.client_id !== subject.id)
      throw refuse('SUBJECT_MISMATCH', `\`subject.id\` must be \`${claims.client_id}\`, whose token this is`);
    const atLeast = proof.atLeast.map(({ source, pos }) => ({ source, pos: Number(pos) }));
    if ((await this.decisions.staleVerdict({ claims, atLeast })) !== undefined) return undefined;
    const hops = [claims.mandate_id, ...claims.delegation_ids].flatMap((id) => known.hop(id) ?? []);
    return { claims, hops };
  }

  *#openSessions({ at }: Call): Iterable<KnownSession> {
    for (const session of this.knowledge.known.sessions())
      if (!session.ended && session.expiresAt > at) yield session;
  }

  #allows(claims: SessionClaims, action: Action, call: Call): boolean {
    const question = questionOf({ claims, action, approvalId: '' }, call);
    return this.decisions.wouldDecide(question).outcome === 'allow';
  }
}

/** What can be spelt in a way that no type, thing or verb of ours is: it is unknown, and not wrong. */
const names: readonly string[] = ['resource.type', 'resource.id', 'action.name'];

/** Undefined for what nobody can have been granted, and where the reader has found something wrong. */
function readNamed(...read: Parameters<typeof readAction>): Action | undefined {
  try {
    return readAction(...read);
  } catch (cause) {
    if (cause instanceof Refusal && cause.fields.every(({ field }) => names.includes(field)))
      return undefined;
    throw cause;
  }
}

/** What a token of this session would say. */
function claimsOf({ id, agentId, personId, mandateId, delegationIds }: KnownSession): SessionClaims {
  return { sid: id, client_id: agentId, sub: personId, mandate_id: mandateId, delegation_ids: delegationIds };
}

function searchJson(page: Page, { results, last }: Found<object>): SearchJson {
  return { results, page: { next_token: last === undefined ? '' : page.next(last), count: results.length } };
}

const nothing: SearchJson = { results: [], page: { next_token: '', count: 0 } };
