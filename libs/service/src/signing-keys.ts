import type { KeyObject } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { SigningKeyAdded, SigningKeyRetired } from '@writ/contracts/writ/session/v1/signing_key_facts.js';
import { type ConsumedFact, Reactions } from '@writ/event-bus';
import { Database, makeTables, schemasOf, type Tx } from '@writ/event-store';
import type { Background } from './definition.js';
import { keyOf, publicJwk } from './public-key.js';
import { Telemetry } from './telemetry.js';
import type { KeySource } from './token-verifier.js';
import { Identity } from './trust/identity.js';
import { parseSpiffeId } from './trust/spiffe.js';

/** A replica that did not consume the fact learns of a new or retired key within this time. */
const refreshEveryMs = 1_000;

/**
 * The keys that access tokens are signed with, from the session-broker's facts: a table, and its content in memory, since
 * tokens are verified synchronously. Name the class among both the reactions and the background of a service.
 */
@Injectable()
export class SigningKeys extends Reactions implements KeySource, Background {
  override readonly group: string;
  override readonly sources = ['session-broker'];
  readonly #schema: string;
  readonly #table: string;
  #keys: ReadonlyMap<string, KeyObject> = new Map();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly database: Database,
    identity: Identity,
    private readonly telemetry: Telemetry,
  ) {
    super();
    const service = parseSpiffeId(identity.spiffeId)?.id ?? '';
    this.group = `${service}.signing-keys`;
    this.#schema = schemasOf(service).views;
    this.#table = `${this.#schema}.signing_key`;
  }

  /** Nest calls it before the first fact is consumed. */
  async onModuleInit(): Promise<void> {
    const sql = `create table if not exists ${this.#table} (key_id text primary key, jwk text not null, retired boolean not null default false)`;
    await makeTables({ database: this.database, schema: this.#schema, sql });
    await this.refresh();
  }

  async start(): Promise<void> {
    this.#timer = setInterval(() => {
      this.refresh().catch((cause) => this.telemetry.log.warn({ err: cause }, 'signing keys were not read'));
    }, refreshEveryMs).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
  }

  find(keyId: string): KeyObject | undefined {
    return this.#keys.get(keyId);
  }

  /** Reads the table again. A caller that met an unknown key may do so once before it refuses. */
  async refresh(): Promise<void> {
    const { rows } = await this.database.query<{ key_id: string; jwk: string }>(
      `select key_id, jwk from ${this.#table} where not retired`,
    );
    const before = this.#keys;
    // One object per key for as long as it lives: the verifier remembers tokens by it.
    this.#keys = new Map(rows.map(({ key_id, jwk }) => [key_id, before.get(key_id) ?? signingKeyOf(jwk)]));
  }

  override async handle(fact: ConsumedFact, tx: Tx): Promise<void> {
    if (fact.fullType === 'writ.session.v1.SigningKeyAdded')
      await this.#add(SigningKeyAdded.decode(fact.data), tx);
    else if (fact.fullType === 'writ.session.v1.SigningKeyRetired')
      await this.#retire(SigningKeyRetired.decode(fact.data), tx);
  }

  async #add({ keyId, jwk }: SigningKeyAdded, tx: Tx): Promise<void> {
    const key = signingKeyOf(jwk);
    await tx.query(`insert into ${this.#table} (key_id, jwk) values ($1, $2) on conflict do nothing`, [
      keyId,
      jwk,
    ]);
    tx.afterCommit(() => {
      this.#keys = new Map([...this.#keys, [keyId, this.#keys.get(keyId) ?? key]]);
    });
  }

  async #retire({ keyId }: SigningKeyRetired, tx: Tx): Promise<void> {
    await tx.query(
      `insert into ${this.#table} (key_id, jwk, retired) values ($1, '', true)
       on conflict (key_id) do update set retired = true`,
      [keyId],
    );
    tx.afterCommit(() => {
      this.#keys = new Map([...this.#keys].filter(([known]) => known !== keyId));
    });
  }
}

/** @throws Error for anything but a public EC P-256 key */
function signingKeyOf(jwk: string): KeyObject {
  const key = publicJwk(jwk) === undefined ? keyOf(jwk) : undefined;
  if (key === undefined) throw new Error('a signing key must be a public EC P-256 JWK');
  return key;
}
