import { Injectable } from '@nestjs/common';
import { toolsOf } from '@writ/authority';
import { CommandHandler, Database, type Handled } from '@writ/event-store';
import { type Call, canonicalJson } from '@writ/kernel';
import { Secret, sha256Base64Url } from '@writ/service';
import { Decisions } from '../decision/decision.client.js';
import { KnownSessions } from '../session/session.store.js';
import { type Presented, refuseSession, SessionGate } from '../session/session-gate.flow.js';
import { secretFacts } from './secret.facts.js';
import {
  refuse,
  type SecretCommand,
  type SecretEvent,
  type Secret as SecretState,
  secretDecider,
  versionToRead,
} from './secret.js';
import { type SecretRow, SecretView } from './secret.view.js';
import { readAction } from './secret-action.js';
import { secretReadFacts } from './secret-read.facts.js';
import { secretReadDecider } from './secret-read.js';
import { refuseValue } from './secret-value.cipher.js';
import { SecretValues } from './secret-value.store.js';

type Value = Secret<Uint8Array>;

export interface ReadWish extends Presented {
  readonly secretId: string;
  /** 0 for the newest. */
  readonly version: number;
  readonly approvalId: string;
}

export interface ReadValue {
  readonly version: number;
  readonly value: Value;
  readonly decisionId: string;
}

/** A value is sealed before the transaction that records its version and holds its row; it is recorded before it leaves. */
@Injectable()
export class SecretFlow {
  constructor(
    private readonly database: Database,
    private readonly commands: CommandHandler,
    private readonly secrets: SecretView,
    private readonly values: SecretValues,
    private readonly gate: SessionGate,
    private readonly sessions: KnownSessions,
    private readonly decisions: Decisions,
  ) {}

  async create(wish: { displayName: string; owner: string; value: Value }, call: Call): Promise<SecretRow> {
    const { displayName, owner, value } = wish;
    const secretId = call.newId('sec');
    const id = { secretId, version: 1 };
    const sealed = await this.values.seal(id, value);
    const command = { type: 'CreateSecret', secretId, displayName, owner, kekId: sealed.kekId } as const;
    const by = withoutValue(call, ['create', displayName, owner]);
    const handled = await this.database.transaction(async (tx) => {
      const made = await this.commands.handle(order(command, by), tx);
      if (!made.replayed) await this.values.insert(tx, id, sealed);
      return made;
    });
    await this.#requireSameValue(handled, value);
    return this.get(secretIdOf(handled));
  }

  async addVersion(wish: { secretId: string; value: Value; etag: string }, call: Call): Promise<SecretRow> {
    const { secretId, value, etag } = wish;
    const { versions } = await this.get(secretId);
    const id = { secretId, version: versions.length + 1 };
    const sealed = await this.values.seal(id, value);
    const command = { type: 'AddSecretVersion', ...id, kekId: sealed.kekId } as const;
    const by = withoutValue(call, ['add', secretId, etag]);
    const handled = await this.database.transaction(async (tx) => {
      const made = await this.commands.handle({ ...order(command, by), expectedEtag: etag }, tx);
      if (!made.replayed) await this.values.insert(tx, id, sealed);
      return made;
    });
    await this.#requireSameValue(handled, value);
    return this.get(secretId);
  }

  /** The sealed value is gone with the fact; its data key was nowhere else. */
  async destroyVersion(
    wish: { secretId: string; version: number; etag: string },
    call: Call,
  ): Promise<SecretRow> {
    const { secretId, version, etag } = wish;
    await this.database.transaction(async (tx) => {
      const command = { type: 'DestroySecretVersion', secretId, version } as const;
      await this.commands.handle({ ...order(command, call), expectedEtag: etag }, tx);
      await this.values.remove(tx, { secretId, version });
    });
    return this.get(secretId);
  }

  /** @throws Refusal of the gate, of the decision, SECRET_UNKNOWN, SECRET_VERSION_DESTROYED, of the value */
  async read(wish: ReadWish, call: Call): Promise<ReadValue> {
    const admitted = await this.gate.admit(wish, call);
    const secret = await this.get(wish.secretId);
    const id = {
      secretId: wish.secretId,
      version: versionToRead(wish.secretId, wish.version, secret.versions),
    };
    const { session, agentIds, certificateSha256 } = admitted;
    const { token, approvalId, atLeast } = wish;
    const action = readAction(secret, id.version);
    const tools = toolsOf(action);
    this.gate.requireFree(admitted, tools);
    const question = { token, certificateSha256, sessionId: session.sessionId, action, approvalId, atLeast };
    const decisionId = await this.decisions.allow(question, call);
    const value = await this.values.open(id);
    const { sessionId, agentId } = session;
    await this.database.transaction(async (tx) => {
      if (!(await this.sessions.holdLive(tx, { sessionId, agentIds, at: call.at })))
        throw refuseSession('SESSION_ENDED', `session \`${sessionId}\` is over; open a new one`);
      await this.commands.handle(
        {
          decider: secretReadDecider,
          facts: secretReadFacts,
          streamId: `secret-read-${decisionId}`,
          kind: 'secret-read',
          partKey: agentId,
          command: { type: 'ReadSecret', ...id, sessionId, agentId, decisionId },
          // Without the request id: a retry lets the value out again and is recorded again. Limits count once, by decision.
          call: { ...call, requestId: '', requestHash: '' },
        },
        tx,
      );
      if (!(await this.values.isKept(tx, id)))
        throw refuse(
          'SECRET_VERSION_DESTROYED',
          `version \`${id.version}\` of \`${id.secretId}\` was destroyed just now`,
        );
    });
    // Somebody or something may have been locked since the decision.
    this.gate.requireFree(admitted, tools);
    return { version: id.version, value, decisionId };
  }

  /** @throws Refusal SECRET_UNKNOWN */
  async get(secretId: string): Promise<SecretRow> {
    const secret = await this.secrets.find(secretId);
    if (secret === undefined) throw refuse('SECRET_UNKNOWN', `no secret \`${secretId}\`; create it first`);
    return secret;
  }

  /** The part of "same request" that `withoutValue` leaves out, compared with the value that was stored then. */
  async #requireSameValue(handled: Handled<SecretState, SecretEvent>, value: Value): Promise<void> {
    const added = handled.facts.find((fact) => fact.type === 'SecretVersionAdded');
    if (!handled.replayed || added === undefined) return;
    const { secretId, version } = added.data;
    const { versions } = await this.get(secretId);
    if (versions[version - 1]?.destroyed === true) return;
    const stored = await this.values.open({ secretId, version });
    if (!Buffer.from(stored.reveal()).equals(Buffer.from(value.reveal())))
      throw refuseValue('REQUEST_ID_REUSED', 'the request id came before with another value; use a new one');
  }
}

function order(command: SecretCommand, call: Call) {
  return {
    decider: secretDecider,
    facts: secretFacts,
    streamId: `secret-${command.secretId}`,
    kind: 'secret',
    partKey: command.secretId,
    command,
    call,
  };
}

/**
 * The hash of a request is stored beside its id. One that covers a value would let whoever reads the table try out guesses
 * of it, so it covers the rest.
 */
function withoutValue(call: Call, rest: readonly string[]): Call {
  return { ...call, requestHash: sha256Base64Url(canonicalJson(['secret', ...rest])) };
}

function secretIdOf({ streamId }: { streamId: string }): string {
  return streamId.slice('secret-'.length);
}
