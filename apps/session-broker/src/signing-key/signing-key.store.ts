import { createPublicKey, type KeyObject, sign } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { CommandHandler } from '@writ/event-store';
import type { Json } from '@writ/kernel';
import { Background, OwnCalls, type RegisteredKey, registeredKey } from '@writ/service';
import { BrokerSettings } from '../broker-settings.js';
import { privateKeyIn } from './key-file.store.js';
import { signingKeyFacts } from './signing-key.facts.js';
import { signingKeyDecider } from './signing-key.js';

/** The private key that access tokens are signed with. It stays in its file and in this process. */
@Injectable()
export class TokenSigner extends Background {
  readonly #privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly registered: RegisteredKey;
  readonly #header: string;

  constructor(
    private readonly settings: BrokerSettings,
    private readonly commands: CommandHandler,
    private readonly calls: OwnCalls,
  ) {
    super();
    this.#privateKey = privateKeyIn(settings.signingKeyFile);
    this.publicKey = createPublicKey(this.#privateKey);
    this.registered = registeredKey(JSON.stringify(this.publicKey.export({ format: 'jwk' })));
    this.#header = encode({ alg: 'ES256', typ: 'at+jwt', kid: this.registered.keyId });
  }

  /** Announces the key, so that every enforcement point can verify what it signs. */
  async start(): Promise<void> {
    const { keyId, jwk } = this.registered;
    await this.commands.handle({
      decider: signingKeyDecider,
      facts: signingKeyFacts,
      streamId: `signing-key-${keyId}`,
      kind: 'signing-key',
      partKey: keyId,
      command: { type: 'AddSigningKey', key: { keyId, jwk, issuer: this.settings.tokenIssuer } },
      call: this.calls.next('start'),
    });
  }

  async stop(): Promise<void> {
    // Nothing runs on: the key is only read.
  }

  /** RFC 9068, ES256. Synchronous: 28 µs here are less than what the thread pool's queue costs under load. */
  sign(claims: Json): string {
    const signed = `${this.#header}.${encode(claims)}`;
    const signature = sign('sha256', Buffer.from(signed), {
      key: this.#privateKey,
      dsaEncoding: 'ieee-p1363',
    });
    return `${signed}.${signature.toString('base64url')}`;
  }
}

function encode(value: Json): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
