import { type Caller, Refusal } from '@writ/kernel';
import { type CertificateFacts, readCertificate } from './certificate.js';
import { parseSpiffeId, type SpiffeId } from './spiffe.js';

/** What `peerCaller` needs of a grpc-js server call. */
export interface PeerCall {
  getAuthContext(): { sslPeerCertificate?: { raw: Buffer } };
}

/** Read once for each connection, which has one certificate: to parse it costs more than most calls. */
const parsed = new WeakMap<Buffer, Peer>();

interface Peer {
  readonly certificate: CertificateFacts;
  readonly spiffeId: SpiffeId | undefined;
}

/**
 * Who is on the other end, by the certificate of its TLS connection: exactly one URI SAN, a SPIFFE ID of our trust
 * domain (X509-SVID section 2). TLS has verified chain and validity at the handshake; the validity is checked
 * again on every call, because a connection may outlive its certificate.
 * @throws Refusal PEER_UNIDENTIFIED
 */
export function peerCaller(call: PeerCall, trustDomain: string, at: Date): Caller {
  const raw = call.getAuthContext().sslPeerCertificate?.raw;
  if (raw === undefined) throw unidentified('a client certificate is required');
  const { certificate, spiffeId } = peerOf(raw);
  const { uris, notBefore, notAfter, sha256 } = certificate;
  const [uri] = uris;
  if (uri === undefined || uris.length !== 1)
    throw unidentified(`the client certificate must have exactly one URI name, it has ${uris.length}`);
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

function peerOf(raw: Buffer): Peer {
  const known = parsed.get(raw);
  if (known !== undefined) return known;
  const certificate = readCertificate(raw);
  const [uri] = certificate.uris;
  const peer = { certificate, spiffeId: uri === undefined ? undefined : parseSpiffeId(uri) };
  parsed.set(raw, peer);
  return peer;
}

function unidentified(message: string): Refusal {
  return new Refusal('PEER_UNIDENTIFIED', 'unauthenticated', message);
}
