import {
  IssueTokenRequest,
  IssueTokenResponse,
  SessionServiceService,
} from '@writ/contracts/writ/session/v1/session.js';
import { assertion } from './assertion.js';
import { CliFailure } from './cli-failure.js';
import { exitCodes } from './exit-codes.js';
import { type JsonObject, textAt } from './json.js';
import { unary } from './rpc.js';
import { newest, type OpenSession, readSession, saveSession } from './session-file.js';
import { content, extra, hint, type Work } from './work.js';

export const issueToken = unary(
  'session-broker',
  SessionServiceService.issueToken,
  IssueTokenRequest,
  IssueTokenResponse,
);

const renewBeforeMs = 15_000;

/** Flags and placeholders of every call that an agent makes with its token. */
export const tokenExtras = [
  {
    flag: 'token-file',
    value: 'FILE',
    doc: 'the token to use; else that of the open session of the profile',
  },
] as const;
export const tokenFills = { token: "<the session's access token>" };

/** Puts the token in, a fresh one where the old is about to end, and what the decision has to know first. */
export async function withToken(work: Work): Promise<undefined> {
  const path = extra(work, 'token-file');
  if (path !== undefined) {
    work.request.token = (await content(work, path)).toString('utf8').trim();
    return;
  }
  const session = await currentSession(work);
  work.request.token = session.accessToken;
  const takesFacts =
    'rpc' in work.verb && work.verb.rpc.request.fields.some(({ name }) => name === 'at_least');
  if (takesFacts && !('atLeast' in work.request)) work.request.atLeast = [...session.positions];
}

/** The session in the profile's folder. Tokens live five minutes at most; sessions live longer. */
async function currentSession(work: Work): Promise<OpenSession> {
  const { name } = await work.suite.profile();
  const session = await readSession(work);
  if (session === undefined)
    throw new CliFailure(exitCodes.forbidden, `profile \`${name}\` has no open session`, {
      next: `writ session open --mandate ID --task TEXT --profile ${name}`,
    });
  const leftMs = new Date(session.tokenExpireTime).getTime() - work.io.clock.now().getTime();
  if (leftMs > renewBeforeMs) return session;
  const request = {
    assertion: await assertion(work),
    sessionId: session.sessionId,
    requestId: work.io.clock.newEventId(),
  };
  hint(work, `the token of ${session.sessionId} was about to end; it has a new one`);
  return keepToken(work, session.sessionId, await work.suite.call(issueToken, request), session.positions);
}

/** Saves the token of an answer for the calls that follow. */
export async function keepToken(
  work: Work,
  sessionId: string,
  answer: JsonObject,
  positions: readonly JsonObject[],
): Promise<OpenSession> {
  const position = answer.position as JsonObject | undefined;
  const session = {
    sessionId,
    accessToken: textAt(answer, 'accessToken'),
    tokenExpireTime: textAt(answer, 'tokenExpireTime'),
    positions: position === undefined ? positions : newest(positions, position),
  };
  await saveSession(work, session);
  return session;
}
