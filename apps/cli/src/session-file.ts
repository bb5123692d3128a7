import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writePrivately } from '@writ/service';
import { isObject, type Json, type JsonObject, listAt, textAt } from './json.js';
import type { Work } from './work.js';

/** The session that a profile is in: its token, and the newest facts it has heard of. */
export interface OpenSession {
  readonly sessionId: string;
  readonly accessToken: string;
  readonly tokenExpireTime: string;
  /** `writ.type.v1.Position` in JSON: what a decision has to know before it is made. */
  readonly positions: readonly JsonObject[];
}

/** Read by its owner only; never printed. */
function pathOf({ suite }: Work): string {
  return join(suite.profileFolder(), 'session.json');
}

export async function readSession(work: Work): Promise<OpenSession | undefined> {
  const path = pathOf(work);
  if (!existsSync(path)) return undefined;
  const saved = JSON.parse(await readFile(path, 'utf8')) as Json;
  return {
    sessionId: textAt(saved, 'sessionId'),
    accessToken: textAt(saved, 'accessToken'),
    tokenExpireTime: textAt(saved, 'tokenExpireTime'),
    positions: listAt(saved, 'positions')
      .filter(isObject)
      .map((position) => ({ ...position })),
  };
}

export async function saveSession(work: Work, session: OpenSession): Promise<void> {
  await writePrivately(pathOf(work), `${JSON.stringify(session, null, 2)}\n`);
}

export async function forgetSession(work: Work): Promise<void> {
  await rm(pathOf(work), { force: true });
}

/** Remembers where an answer is recorded, so that the next decision of this profile knows it. */
export async function noteFacts(work: Work, answer: JsonObject): Promise<void> {
  const session = await readSession(work);
  const { position } = answer;
  if (session === undefined || !isObject(position)) return;
  await saveSession(work, { ...session, positions: newest(session.positions, { ...position }) });
}

/** One position per source, the highest. */
export function newest(known: readonly JsonObject[], added: JsonObject): readonly JsonObject[] {
  const before = known.find(({ source }) => source === added.source);
  if (before !== undefined && BigInt(textAt(before, 'pos')) >= BigInt(textAt(added, 'pos'))) return known;
  return [...known.filter(({ source }) => source !== added.source), added];
}
