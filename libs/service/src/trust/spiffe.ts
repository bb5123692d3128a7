import type { Caller } from '@writ/kernel';
import { isId } from '@writ/kernel';
import { isServiceName, type ServiceName } from '../service-name.js';

/**
 * SPIFFE IDs of our trust domain (SPIFFE-ID specification, section 2): `spiffe://<trust-domain>/<kind>/<name>`, or
 * `spiffe://<trust-domain>/bootstrap`, the certificate of the first start. Any other path is nobody.
 */
export interface SpiffeId {
  readonly trustDomain: string;
  readonly kind: Caller['kind'];
  readonly id: string;
}

const trustDomainPattern = /^[a-z0-9](?:[a-z0-9._-]{0,253}[a-z0-9])?$/;
const spiffePattern = /^spiffe:\/\/([a-z0-9._-]{1,255})\/([a-z-]+)(?:\/([A-Za-z0-9._-]+))?$/;
const pointNamePattern = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Lower case letters, digits, `.`, `-`, `_`; at most 255 characters (SPIFFE-ID section 2.1). */
export function isTrustDomain(name: string): boolean {
  return trustDomainPattern.test(name);
}

/** The SPIFFE ID in `uri`, or undefined for anything that names no known kind of caller. */
export function parseSpiffeId(uri: string): SpiffeId | undefined {
  const [, trustDomain, kind, id] = spiffePattern.exec(uri) ?? [];
  if (trustDomain === undefined || !isTrustDomain(trustDomain)) return undefined;
  if (kind === 'bootstrap') return id === undefined ? { trustDomain, kind, id: 'bootstrap' } : undefined;
  if (id === undefined) return undefined;
  if (kind === 'service' && isServiceName(id)) return { trustDomain, kind, id };
  if (kind === 'person' && isId('psn', id)) return { trustDomain, kind, id };
  if (kind === 'agent' && isId('agt', id)) return { trustDomain, kind, id };
  if (kind === 'enforcement-point' && pointNamePattern.test(id)) return { trustDomain, kind, id };
  return undefined;
}

/** Spells a SPIFFE ID; throws for one that `parseSpiffeId` would not read back. */
export function formatSpiffeId({ trustDomain, kind, id }: SpiffeId): string {
  const uri = `spiffe://${trustDomain}/${kind === 'bootstrap' ? kind : `${kind}/${id}`}`;
  if (parseSpiffeId(uri) === undefined) throw new Error(`\`${uri}\` is no SPIFFE ID of Writ`);
  return uri;
}

export function serviceSpiffeId(trustDomain: string, name: ServiceName): string {
  return formatSpiffeId({ trustDomain, kind: 'service', id: name });
}

/** The pseudonymous actor in facts: `psn_…`, `agt_…`, `service/vault`, `enforcement-point/erp`, `bootstrap`. */
export function actorOf(caller: Pick<Caller, 'kind' | 'id'>): string {
  if (caller.kind === 'service' || caller.kind === 'enforcement-point') return `${caller.kind}/${caller.id}`;
  return caller.id;
}
