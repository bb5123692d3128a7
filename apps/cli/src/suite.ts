import { join } from 'node:path';
import { type ClientOf, connect, Home, type Profile, type SuiteRecord, serviceSpiffeId } from '@writ/service';
import { CliFailure } from './cli-failure.js';
import type { CliSettings } from './cli-settings.js';
import { exitCodes } from './exit-codes.js';
import { Files } from './files.js';
import type { Io } from './io.js';
import type { JsonObject } from './json.js';
import type { StreamRpc, UnaryRpc } from './rpc.js';

const timeoutMsDefault = 10_000;

type UnaryClient = ClientOf<{ call: UnaryRpc['method'] }>;

/** The running suite as one profile sees it. Nothing is read or opened before it is needed. */
export class Suite {
  readonly files: Files;
  /** By the call that each makes, so that whoever asks again asks over the same connection. */
  readonly #clients = new Map<string, UnaryClient>();
  #profile: Promise<Profile> | undefined;
  #record: Promise<SuiteRecord> | undefined;

  constructor(
    private readonly io: Io,
    private readonly settings: CliSettings,
  ) {
    this.files = new Files(io);
  }

  home(): Home {
    const { home } = this.settings;
    const found = home === undefined ? Home.find(this.io.cwd) : new Home(home);
    if (found !== undefined) return found;
    throw new CliFailure(exitCodes.unavailable, `no suite at or above \`${this.io.cwd}\``, {
      next: 'start one with `npm start`, or name its folder with --home',
    });
  }

  record(): Promise<SuiteRecord> {
    this.#record ??= this.home()
      .suite()
      .catch((cause: unknown) => {
        throw new CliFailure(exitCodes.unavailable, messageOf(cause), { cause });
      });
    return this.#record;
  }

  profileFolder(name = this.settings.profile): string {
    return join(this.home().folder, 'profiles', name);
  }

  profile(): Promise<Profile> {
    this.#profile ??= this.#openProfile(this.settings.profile);
    return this.#profile;
  }

  async call(rpc: UnaryRpc, request: JsonObject, timeoutMs?: number): Promise<JsonObject> {
    const way = await this.#way(rpc.service);
    const client = this.#clients.get(rpc.title) ?? connect({ ...way, definition: { call: rpc.method } });
    this.#clients.set(rpc.title, client);
    return client.call(request, {
      deadlineMs: timeoutMs ?? this.settings.timeoutMs ?? timeoutMsDefault,
    });
  }

  /** Every message of a stream, in order. No deadline unless the user named one. */
  async *stream(rpc: StreamRpc, request: JsonObject): AsyncGenerator<JsonObject> {
    const client = connect({ ...(await this.#way(rpc.service)), definition: { call: rpc.method } });
    const { timeoutMs } = this.settings;
    try {
      yield* client.call(request, timeoutMs === undefined ? {} : { deadlineMs: timeoutMs });
    } finally {
      client.close();
    }
  }

  async close(): Promise<void> {
    for (const client of this.#clients.values()) client.close();
    const profile = await this.#profile?.catch(() => undefined);
    profile?.identity.stop();
  }

  async address(service: UnaryRpc['service']): Promise<string> {
    const { endpoints } = await this.record();
    const address = endpoints[service];
    if (address !== undefined) return address;
    throw new CliFailure(exitCodes.unavailable, `the suite runs no \`${service}\``, { next: 'writ status' });
  }

  /** How a service is reached, and who it has to be. */
  async #way(service: UnaryRpc['service']): Promise<Omit<Parameters<typeof connect>[0], 'definition'>> {
    const [{ trustDomain }, { identity }, address] = [
      await this.record(),
      await this.profile(),
      await this.address(service),
    ];
    return { identity, address, serverSpiffeId: serviceSpiffeId(trustDomain, service), clock: this.io.clock };
  }

  async #openProfile(name: string): Promise<Profile> {
    const home = this.home();
    const profile = await home.profile(name).catch((cause: unknown) => {
      const isMissing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
      const message = isMissing ? `profile \`${name}\` has no certificate yet` : messageOf(cause);
      throw new CliFailure(exitCodes.forbidden, message, {
        next: isMissing ? 'writ certificate issue AGENT --profile operator' : '--profile NAME',
        cause,
      });
    });
    const { notAfter } = profile.identity.current();
    if (notAfter > this.io.clock.now()) return profile;
    profile.identity.stop();
    throw new CliFailure(
      exitCodes.forbidden,
      `the certificate of profile \`${name}\` expired at ${notAfter.toISOString()}`,
      { next: `writ certificate issue ${profile.principalId} --profile operator` },
    );
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
