import {
  ListSigningKeysRequest,
  ListSigningKeysResponse,
  SessionServiceService,
} from '@writ/contracts/writ/session/v1/session.js';
import { SignJWT } from 'jose';
import { CliFailure } from './cli-failure.js';
import { exitCodes } from './exit-codes.js';
import { textAt } from './json.js';
import { unary } from './rpc.js';
import type { Work } from './work.js';

export const listSigningKeys = unary(
  'session-broker',
  SessionServiceService.listSigningKeys,
  ListSigningKeysRequest,
  ListSigningKeysResponse,
);

/** Half of what the broker takes (60 s), so that a clock that is a little ahead does no harm. */
const lifeSeconds = 30;

/** The agent's proof of itself (RFC 7523 section 3), signed with the key of the profile. */
export async function assertion(work: Work): Promise<string> {
  const { suite, io } = work;
  const { principalId, signingKey, keyId, name } = await suite.profile();
  if (signingKey === undefined || !principalId.startsWith('agt_'))
    throw new CliFailure(exitCodes.forbidden, `profile \`${name}\` is not that of an agent with its key`, {
      next: '--profile NAME of an agent',
    });
  const issuedAt = Math.floor(io.clock.now().getTime() / 1000);
  return new SignJWT({})
    .setProtectedHeader({ alg: 'ES256', kid: keyId })
    .setIssuer(principalId)
    .setSubject(principalId)
    .setAudience(await issuerOf(work))
    .setJti(io.clock.newEventId())
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + lifeSeconds)
    .sign(signingKey);
}

async function issuerOf({ suite }: Work): Promise<string> {
  const { others } = await suite.record();
  return others.issuer ?? textAt(await suite.call(listSigningKeys, {}), 'issuer');
}
