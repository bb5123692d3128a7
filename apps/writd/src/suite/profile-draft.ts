import { createPrivateKey, generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Home, writePrivately } from '@writ/service';

/**
 * What a profile's folder holds before anybody is registered for it. The next attempt finds the same key and the same
 * request id, so that it is answered with whom the first one registered.
 */
export interface ProfileDraft {
  readonly privateKey: KeyObject;
  readonly requestId: string;
}

/** Whether it is known whose profile it is; that is written last. */
export function isComplete(home: Home, name: string): boolean {
  return existsSync(fileOf(home, name, 'profile.json'));
}

/** What an earlier attempt left, or a new key and request id, which are on disk when this resolves. */
export async function draftOf(home: Home, name: string): Promise<ProfileDraft> {
  const folder = fileOf(home, name);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const requestId = await kept(fileOf(home, name, 'request-id'), randomUUID);
  const privatePem = await kept(fileOf(home, name, 'signing.key'), newPrivatePem);
  return { privateKey: createPrivateKey(privatePem), requestId };
}

/** The key stays, it is the profile's; the request id has done its work. */
export async function forgetDraft(home: Home, name: string): Promise<void> {
  await rm(fileOf(home, name, 'request-id'), { force: true });
}

async function kept(path: string, make: () => string): Promise<string> {
  if (!existsSync(path)) await writePrivately(path, make());
  return readFile(path, 'utf8');
}

function newPrivatePem(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function fileOf(home: Home, name: string, ...file: string[]): string {
  return join(home.folder, 'profiles', name, ...file);
}
