import { type DetailedPeerCertificate, type PeerCertificate, TLSSocket } from 'node:tls';

const known = new WeakMap<TLSSocket, PeerCertificate>();
const ask = TLSSocket.prototype.getPeerCertificate;
let remembering = false;

/**
 * grpc-js asks OpenSSL for the peer's certificate on every call, and gets it parsed anew: a seventh of what a decision
 * costs. From now on each connection is asked once. Its answer cannot change: TLS 1.3 has no renegotiation, and we ask
 * for no certificate after the handshake. The certificate's validity is still compared with the time of every call.
 */
export function rememberPeerCertificates(): void {
  if (remembering) return;
  remembering = true;
  function remembered(this: TLSSocket, detailed: true): DetailedPeerCertificate;
  function remembered(this: TLSSocket, detailed?: false): PeerCertificate;
  function remembered(this: TLSSocket, detailed?: boolean): PeerCertificate {
    if (detailed === true || this.getProtocol() !== 'TLSv1.3') return ask.call(this, detailed === true);
    const before = known.get(this);
    if (before !== undefined) return before;
    const certificate = ask.call(this, false);
    // Empty until the handshake is over.
    if (certificate.raw !== undefined) known.set(this, certificate);
    return certificate;
  }
  TLSSocket.prototype.getPeerCertificate = remembered;
}
