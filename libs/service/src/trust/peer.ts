import { type Caller, Refusal } from '@writ/kernel';
import { sha256Base64Url } from '../clock.js';
import { type CertificateFacts, readCertificate } from './certificate.js';
import { parseSpiffeId } from './spiffe.js';

/** What `peerCaller` needs of a grpc-js server call. */
export interface PeerCall {
  getAuthContext(): { sslPeerCertificate?: { raw: Buffer } };
}

/** Parsed certificates by thumbprint: parsing costs more than most calls. Bounded; the oldest goes first. */
const parsed = new Map<string, CertificateFacts>();
const parsedMax = 4096;

/**
 * Who is on the other end, by the certificate of its TLS connection: exactly one URI SAN, a SPIFFE ID of our trust
 * domain (X509-SVID section 2). TLS has verified chain and validity at the handshake; the validity is checked
 * again on every call, because a connection may outlive its certificate.
 * @throws Refusal PEER_UNIDENTIFIED
 */
export function peerCaller(call: PeerCall, trustDomain: string, at: Date): Caller {
  const raw = call.getAuthContext().sslPeerCertificate?.raw;
  if (raw === undefined) throw unidentified('a client certificate is required');
  const { uris, notBefore, notAfter, sha256 } = factsOf(raw);
  const [uri] = uris;
  if (uri === undefined || uris.length !== 1)
    throw unidentified(`the client certificate must have exactly one URI name, it has ${uris.length}`);
  const spiffeId = parseSpiffeId(uri);
  if (spiffeId === undefined)
    throw unidentified('the client certificate names no kind of caller that Writ knows');
  if (spiffeId.trustDomain !== trustDomain)
    throw unidentified(`the client certificate is of another trust domain than \`${trustDomain}\``);
  if (at < notBefore || at >= notAfter)
    throw unidentified(
      `the client certificate is valid from ${notBefore.toISOString()} to ${notAfter.toISOString()}; renew it`,
    );
  return { kind: spiffeId.kind, id: spiffeId.id, spiffeId: uri, certificateSha256: sha256 };
}

function factsOf(raw: Buffer): CertificateFacts {
  const thumbprint = sha256Base64Url(raw);
  const known = parsed.get(thumbprint);
  if (known !== undefined) return known;
  const facts = readCertificate(raw);
  if (parsed.size >= parsedMax) parsed.delete(parsed.keys().next().value ?? '');
  parsed.set(thumbprint, facts);
  return facts;
}

function unidentified(message: string): Refusal {
  return new Refusal('PEER_UNIDENTIFIED', 'unauthenticated', message);
}
