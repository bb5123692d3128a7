import 'reflect-metadata';
import { type KeyObject, webcrypto, X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { sha256Base64Url } from '../clock.js';

/** P-256 with SHA-256 throughout: what every TLS stack and RFC 7518 `ES256` share. */
const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const;
const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' } as const;

/** Certificates start this long ago, so that a peer whose clock is a little behind accepts a fresh one. */
const backdateMs = 60_000;

x509.cryptoProvider.set(webcrypto);

export interface KeyPair {
  readonly publicKey: webcrypto.CryptoKey;
  readonly privateKey: webcrypto.CryptoKey;
}

export interface CertificatePlan {
  readonly subject: string;
  readonly issuer: string;
  readonly publicKey: webcrypto.CryptoKey;
  readonly signingKey: webcrypto.CryptoKey;
  /** The issuer's public key: its hash stands in the certificate as the authority key identifier. */
  readonly issuerKey: webcrypto.CryptoKey;
  readonly serialNumber: string;
  readonly at: Date;
  readonly notAfter: Date;
  /** A certificate authority's path length, or the extended key usages of a leaf. */
  readonly role: { readonly authority: number | undefined } | { readonly leaf: 'peer' | 'client' };
  readonly uris: readonly string[];
}

export async function newKeyPair(): Promise<KeyPair> {
  const pair = await webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify']);
  return pair as KeyPair;
}

export async function privateKeyPem(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}

/** Reads a P-256 private key and derives its public half. */
export async function keyPairOfPem(pem: string): Promise<KeyPair> {
  const [der] = x509.PemConverter.decode(pem);
  if (der === undefined) throw new Error('no PEM block with a private key');
  const privateKey = await webcrypto.subtle.importKey('pkcs8', der, keyAlgorithm, true, ['sign']);
  const { kty, crv, x, y } = await webcrypto.subtle.exportKey('jwk', privateKey);
  const publicKey = await webcrypto.subtle.importKey('jwk', { kty, crv, x, y }, keyAlgorithm, true, [
    'verify',
  ]);
  return { publicKey: publicKey as webcrypto.CryptoKey, privateKey: privateKey as webcrypto.CryptoKey };
}

/** The public key to certify, from SPKI PEM or a key object. Only P-256 is accepted. */
export async function publicKeyOf(key: string | KeyObject): Promise<webcrypto.CryptoKey> {
  const spki =
    typeof key === 'string' ? x509.PemConverter.decode(key)[0] : key.export({ type: 'spki', format: 'der' });
  if (spki === undefined) throw new Error('no PEM block with a public key');
  return (await webcrypto.subtle.importKey('spki', spki, keyAlgorithm, true, [
    'verify',
  ])) as webcrypto.CryptoKey;
}

/** Signs one certificate (RFC 5280; leaves follow X509-SVID section 4 and 5). */
export async function signCertificate(plan: CertificatePlan): Promise<x509.X509Certificate> {
  const usages =
    'leaf' in plan.role
      ? [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension(
            plan.role.leaf === 'peer'
              ? [x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]
              : [x509.ExtendedKeyUsage.clientAuth],
          ),
        ]
      : [
          new x509.BasicConstraintsExtension(true, plan.role.authority, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        ];
  return x509.X509CertificateGenerator.create({
    serialNumber: plan.serialNumber,
    subject: plan.subject,
    issuer: plan.issuer,
    notBefore: new Date(plan.at.getTime() - backdateMs),
    notAfter: plan.notAfter,
    publicKey: plan.publicKey,
    signingKey: plan.signingKey,
    signingAlgorithm,
    extensions: [
      ...usages,
      new x509.SubjectAlternativeNameExtension(plan.uris.map((value) => ({ type: 'url' as const, value }))),
      await x509.SubjectKeyIdentifierExtension.create(plan.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(plan.issuerKey),
    ],
  });
}

/** What a certificate says about its holder. */
export interface CertificateFacts {
  readonly uris: readonly string[];
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** base64url SHA-256 of the DER bytes: RFC 8705 `x5t#S256`. */
  readonly sha256: string;
}

/** Reads the first certificate of a PEM chain, or DER bytes. Throws when it is no certificate. */
export function readCertificate(content: string | Uint8Array): CertificateFacts {
  const certificate = new x509.X509Certificate(content);
  const names = certificate.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? [];
  return {
    uris: names.filter((name) => name.type === 'url').map((name) => name.value),
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
    sha256: sha256Base64Url(new Uint8Array(certificate.rawData)),
  };
}

/**
 * The certificates of a PEM bundle as they are. Node takes an empty bundle for "the default", every public authority of
 * the web, so it is refused, as is one with a certificate that cannot be read.
 */
export function rootsOf(pem: string): string {
  const blocks = x509.PemConverter.decodeWithHeaders(pem).filter(({ type }) => type === 'CERTIFICATE');
  if (blocks.length === 0) throw new Error('there is no certificate among the roots to trust');
  for (const { rawData } of blocks) new X509Certificate(Buffer.from(rawData));
  return pem;
}
