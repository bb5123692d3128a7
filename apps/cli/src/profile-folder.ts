import { createPrivateKey } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { writePrivately } from '@writ/service';
import { CliFailure, usage } from './cli-failure.js';
import { exitCodes } from './exit-codes.js';
import { type Json, textAt } from './json.js';
import { type Key, keyOfPrivate, newKey } from './keys.js';
import type { Suite } from './suite.js';

const nameForm = /^[a-z][a-z0-9-]{0,62}$/;

/**
 * A profile while it is being made: the key is there first, then the id of whom it was registered for, then the
 * certificate. Every file is for its owner only, and a key that is there is never overwritten.
 */
export class ProfileFolder {
  readonly #folder: string;

  constructor(
    suite: Suite,
    readonly name: string,
  ) {
    if (!nameForm.test(name))
      throw usage(`\`${name}\` is no name of a profile`, 'small letters, digits, hyphens');
    this.#folder = suite.profileFolder(name);
  }

  /** The profile of `principalId`, undefined when this machine has none. */
  static async of(suite: Suite, principalId: string): Promise<ProfileFolder | undefined> {
    for (const name of await suite.home().profiles()) {
      const folder = new ProfileFolder(suite, name);
      if ((await folder.principalId()) === principalId) return folder;
    }
    return undefined;
  }

  /** Undefined before `finish`. */
  async principalId(): Promise<string | undefined> {
    const path = join(this.#folder, 'profile.json');
    if (!existsSync(path)) return undefined;
    return textAt(JSON.parse(await readFile(path, 'utf8')) as Json, 'principalId');
  }

  async key(): Promise<Key | undefined> {
    const path = join(this.#folder, 'signing.key');
    if (!existsSync(path)) return undefined;
    return keyOfPrivate(createPrivateKey(await readFile(path, 'utf8')));
  }

  /**
   * The key to register: the given one, one that an earlier attempt left, or a new one. It is on disk before it is
   * registered: a registered key that nobody holds would be an agent that nobody can run.
   */
  async reserve(given: Key | undefined): Promise<Key> {
    if ((await this.principalId()) !== undefined)
      throw new CliFailure(exitCodes.conflict, `profile \`${this.name}\` exists`, {
        next: '--save-profile NAME',
      });
    const left = await this.key();
    if (given !== undefined && left !== undefined && left.keyId !== given.keyId)
      throw new CliFailure(exitCodes.conflict, `profile \`${this.name}\` holds another key`, {
        next: '--save-profile NAME',
      });
    const key = left ?? given ?? newKey();
    if (left === undefined) await this.#write('signing.key', key);
    return key;
  }

  async finish(principalId: string, keyId: string): Promise<void> {
    await writePrivately(
      join(this.#folder, 'profile.json'),
      `${JSON.stringify({ principalId, keyId }, null, 2)}\n`,
    );
  }

  /** Puts the next key beside the one in use; `promote` makes it that one. */
  async reserveNext(): Promise<Key> {
    const path = join(this.#folder, 'signing.key.next');
    if (existsSync(path)) return keyOfPrivate(createPrivateKey(await readFile(path, 'utf8')));
    const key = newKey();
    await this.#write('signing.key.next', key);
    return key;
  }

  async promote(principalId: string, keyId: string): Promise<void> {
    await rename(join(this.#folder, 'signing.key.next'), join(this.#folder, 'signing.key'));
    await this.finish(principalId, keyId);
  }

  async #write(file: string, { privatePem }: Key): Promise<void> {
    if (privatePem === undefined)
      throw usage(
        'the key file holds no private key, so there is nothing to save',
        'leave --save-profile out',
      );
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await chmod(this.#folder, 0o700);
    await writePrivately(join(this.#folder, file), privatePem.reveal());
  }
}

/** A profile's name from what somebody is called: `Invoice Agent` → `invoice-agent`. */
export function profileNameOf(displayName: string): string {
  const name = displayName
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-+$/g, '')
    .slice(0, 63);
  if (!nameForm.test(name))
    throw usage('no name of a profile can be made of the display name', '--save-profile NAME');
  return name;
}
