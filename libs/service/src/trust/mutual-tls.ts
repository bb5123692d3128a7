import { constants } from 'node:crypto';
import type { PeerCertificate, SecureContextOptions } from 'node:tls';
import { type ChannelCredentials, experimental, ServerCredentials } from '@grpc/grpc-js';
import { readCertificate, rootsOf } from './certificate.js';
import type { Identity, IdentityMaterial } from './identity.js';
import { rememberPeerCertificates } from './peer-certificate.js';
import { parseSpiffeId } from './spiffe.js';

/**
 * How every server of ours greets: TLS 1.3, a client certificate of our roots or no connection. A handshake has 5 s;
 * Node's two minutes would let anybody hold connections open by staying silent.
 */
export const mutualTlsOptions = {
  requestCert: true,
  rejectUnauthorized: true,
  minVersion: 'TLSv1.3',
  handshakeTimeout: 5_000,
} as const;

/**
 * Server side of mutual TLS for gRPC. A renewed identity is taken over for the next handshake; connections that are open
 * keep the certificate they were made with.
 */
export class MutualTls extends ServerCredentials {
  readonly #stopListening: () => void;

  constructor(private readonly identity: Identity) {
    super(mutualTlsOptions, mutualTlsContext(identity.current()));
    rememberPeerCertificates();
    this.#stopListening = identity.onChange((material) =>
      this.updateSecureContextOptions(mutualTlsContext(material)),
    );
  }

  stop(): void {
    this.#stopListening();
  }

  override _equals(other: ServerCredentials): boolean {
    return other instanceof MutualTls && other.identity === this.identity;
  }
}

/**
 * Client side: presents the identity of now at each new connection and talks only to the server whose one URI SAN
 * is `serverSpiffeId`. Host names play no part: the SPIFFE ID is the name.
 */
export function clientCredentials(identity: Identity, serverSpiffeId: string): ChannelCredentials {
  const provider = new IdentityProvider(identity);
  return experimental.createCertificateProviderChannelCredentials(provider, provider, {
    checkServerIdentity: (_host: string, certificate: PeerCertificate) =>
      serverMistake(certificate, serverSpiffeId),
  });
}

/** TLS needs a server name and an IP address is none (RFC 6066 section 3): `vault.writ.example`, from the SPIFFE ID. */
export function serverNameOption(serverSpiffeId: string): { 'grpc.ssl_target_name_override': string } {
  const server = parseSpiffeId(serverSpiffeId);
  if (server === undefined) throw new Error(`\`${serverSpiffeId}\` is no SPIFFE ID of Writ`);
  return { 'grpc.ssl_target_name_override': `${server.id}.${server.trustDomain}` };
}

/** Why the server's certificate is not the expected one; undefined when it is. */
function serverMistake(certificate: PeerCertificate, serverSpiffeId: string): Error | undefined {
  const { uris } = readCertificate(certificate.raw);
  if (uris.length === 1 && uris[0] === serverSpiffeId) return undefined;
  return new Error(
    `the server is not \`${serverSpiffeId}\` but ${uris.map((uri) => `\`${uri}\``).join(', ') || 'nameless'}`,
  );
}

/**
 * Roots, certificate and key of a server. Session tickets are off: a resumed session would skip the check of the client's
 * certificate.
 */
export function mutualTlsContext(material: IdentityMaterial): SecureContextOptions {
  return {
    ca: rootsOf(material.rootsPem),
    cert: material.chainPem,
    key: material.keyPem.reveal(),
    minVersion: 'TLSv1.3',
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

type RootsListener = Parameters<experimental.CertificateProvider['addCaCertificateListener']>[0];
type LeafListener = Parameters<experimental.CertificateProvider['addIdentityCertificateListener']>[0];

/** Feeds grpc-js's channel with the identity of now and with each later one. */
class IdentityProvider implements experimental.CertificateProvider {
  readonly #stops = new Map<RootsListener | LeafListener, () => void>();

  constructor(private readonly identity: Identity) {}

  addCaCertificateListener(listener: RootsListener): void {
    this.#follow(listener, ({ rootsPem }) => listener({ caCertificate: Buffer.from(rootsPem) }));
  }

  removeCaCertificateListener(listener: RootsListener): void {
    this.#unfollow(listener);
  }

  addIdentityCertificateListener(listener: LeafListener): void {
    this.#follow(listener, ({ chainPem, keyPem }) =>
      listener({ certificate: Buffer.from(chainPem), privateKey: Buffer.from(keyPem.reveal()) }),
    );
  }

  removeIdentityCertificateListener(listener: LeafListener): void {
    this.#unfollow(listener);
  }

  #follow(listener: RootsListener | LeafListener, tell: (material: IdentityMaterial) => void): void {
    this.#stops.set(listener, this.identity.onChange(tell));
    tell(this.identity.current());
  }

  #unfollow(listener: RootsListener | LeafListener): void {
    this.#stops.get(listener)?.();
    this.#stops.delete(listener);
  }
}
