import { CliFailure, usage } from './cli-failure.js';
import { exitCodes } from './exit-codes.js';
import { textAt } from './json.js';
import { type Key, readKey } from './keys.js';
import { ProfileFolder, profileNameOf } from './profile-folder.js';
import type { After } from './verb.js';
import { content, extra, type Work } from './work.js';

export const keyExtras = [
  { flag: 'key-file', value: 'FILE', doc: 'JWK or PEM of the key; only its public half is sent' },
  {
    flag: 'save-profile',
    value: 'NAME',
    doc: 'keep the key in this profile; without --key-file a new key is made',
  },
] as const;
export const keyFills = { jwk: '<the public key, as JWK>' };

/**
 * Registers somebody together with a key. The key is given, or made here and kept in a new profile.
 * @param o.always whether a key is needed even if no flag speaks of one
 */
export async function registerWithKey(
  work: Work,
  o: { idField: string; nameField: string; always: boolean },
): Promise<After | undefined> {
  const given = await givenKey(work);
  const wanted = extra(work, 'save-profile');
  const makesOne = given === undefined && (o.always || wanted !== undefined);
  const name = wanted ?? (makesOne ? profileNameOf(textAt(work.request, o.nameField)) : undefined);
  if (name === undefined) {
    if (given !== undefined) work.request.jwk = given.jwk;
    return undefined;
  }
  const folder = new ProfileFolder(work.suite, name);
  const key = await folder.reserve(given);
  work.request.jwk = key.jwk;
  return async (answer) => folder.finish(textAt(answer, o.idField), key.keyId);
}

/** Registers the next key of an agent: the given one, or a new one in the profile that this machine has of it. */
export async function rotateKey(work: Work): Promise<After | undefined> {
  const given = await givenKey(work);
  if (given !== undefined) {
    work.request.jwk = given.jwk;
    return undefined;
  }
  const agentId = textAt(work.request, 'agentId');
  const folder = await ProfileFolder.of(work.suite, agentId);
  if (folder === undefined)
    throw new CliFailure(exitCodes.conflict, `no profile here is that of \`${agentId}\``, {
      next: '--key-file FILE',
    });
  const key = await folder.reserveNext();
  work.request.jwk = key.jwk;
  return async () => folder.promote(agentId, key.keyId);
}

export async function addKey(work: Work): Promise<undefined> {
  const given = await givenKey(work);
  if (given === undefined) throw usage('`--key-file` is needed');
  work.request.jwk = given.jwk;
}

export async function givenKey(work: Work): Promise<Key | undefined> {
  const path = extra(work, 'key-file');
  return path === undefined ? undefined : readKey((await content(work, path)).toString('utf8'), path);
}
