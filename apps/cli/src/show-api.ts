import { join } from 'node:path';
import { serviceSpiffeId } from '@writ/service';
import { descriptorPath } from './contract.js';
import type { JsonObject } from './json.js';
import type { CallVerb } from './verb.js';
import type { Work } from './work.js';

/**
 * The same call for people with grpcurl, and for those with buf, who need no reflection. A server's certificate names
 * its SPIFFE ID and no host, which neither tool can compare; both are told not to compare it, and the reader is told so.
 */
export async function showApi(work: Work, verb: CallVerb): Promise<void> {
  const { io, suite } = work;
  const { trustDomain } = await suite.record();
  const address = await suite.address(verb.rpc.service);
  const folder = suite.profileFolder();
  const [ca, cert, key] = ['ca.crt', 'tls.crt', 'tls.key'].map((file) => quote(join(folder, file)));
  const data = quote(JSON.stringify(shownRequest(verb, work.request)));
  const { title } = verb.rpc;
  io.out.write(
    `grpcurl -insecure -cert ${cert} -key ${key} -d ${data} ${address} ${title}\n` +
      `buf curl --protocol grpc --schema ${quote(descriptorPath())} --insecure --cert ${cert} --key ${key} ` +
      `-d ${data} https://${address}/${title}\n`,
  );
  io.err.write(
    `the server is \`${serviceSpiffeId(trustDomain, verb.rpc.service)}\`, signed by ${ca}; ` +
      'neither tool checks a SPIFFE ID, so use these on a network that you trust\n',
  );
}

/** The request with a placeholder for what the command would read from the profile, and for secret values. */
export function shownRequest(verb: CallVerb, request: JsonObject): JsonObject {
  const secrets = (verb.options ?? [])
    .filter(({ field, fromFile }) => fromFile && field === 'value' && field in request)
    .map(({ field }) => [field, '<base64 of the value>']);
  return { ...request, ...verb.fills, ...Object.fromEntries(secrets) };
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
