import { createPrivateKey, createPublicKey } from 'node:crypto';
import { readCertificate, Secret } from '@writ/service';
import { CliFailure } from './cli-failure.js';
import { exitCodes } from './exit-codes.js';
import { type JsonObject, textAt } from './json.js';
import type { Key } from './keys.js';
import { ProfileFolder } from './profile-folder.js';
import { givenKey } from './register-key.js';
import type { After } from './verb.js';
import { extra, hint, type Work } from './work.js';

/** Asks for a certificate of a key that this machine holds, and completes the profile with it. */
export async function certify(work: Work): Promise<After> {
  const { suite, request } = work;
  const subjectId = textAt(request, 'subjectId');
  const wanted = extra(work, 'save-profile');
  const folder =
    wanted === undefined ? await ProfileFolder.of(suite, subjectId) : new ProfileFolder(suite, wanted);
  const key = (await givenKey(work)) ?? (await folder?.key());
  if (folder === undefined || key?.privatePem === undefined)
    throw new CliFailure(exitCodes.conflict, `no profile here holds a key of \`${subjectId}\``, {
      next: '--key-file FILE --save-profile NAME',
    });
  const owner = await folder.principalId();
  if (owner !== undefined && owner !== subjectId)
    throw new CliFailure(exitCodes.conflict, `profile \`${folder.name}\` is that of \`${owner}\``, {
      next: '--save-profile NAME',
    });
  request.keyId ??= key.keyId;
  const { name } = folder;
  return async (answer) => {
    await save(work, { name, subjectId, key }, answer);
    hint(work, `profile \`${name}\` is ready: --profile ${name}`);
  };
}

async function save(
  { suite }: Work,
  { name, subjectId, key }: { name: string; subjectId: string; key: Key },
  answer: JsonObject,
): Promise<void> {
  const signingKeyPem = key.privatePem?.reveal() ?? '';
  const chainPem = textAt(answer, 'certificateChainPem');
  if (!createPublicKey(chainPem).equals(createPublicKey(createPrivateKey(signingKeyPem))))
    throw new CliFailure(
      exitCodes.conflict,
      'the certificate is for another registered key than the one here',
      {
        next: '--key-file FILE',
      },
    );
  const { notBefore, notAfter, sha256 } = readCertificate(chainPem);
  const material = {
    spiffeId: textAt(answer, 'spiffeId'),
    chainPem,
    keyPem: new Secret(signingKeyPem),
    rootsPem: textAt(answer, 'trustBundlePem'),
    notBefore,
    notAfter,
    certificateSha256: sha256,
  };
  await suite.home().saveProfile({ name, principalId: subjectId, material, signingKeyPem, keyId: key.keyId });
}
