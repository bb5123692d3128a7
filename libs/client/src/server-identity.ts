/** The SPIFFE IDs in a certificate, by Node's text of its alternative names. */

const uriMark = 'URI:';
const trustDomain = /^[a-z0-9](?:[a-z0-9._-]{0,253}[a-z0-9])?$/;
const spiffeId = /^spiffe:\/\/([^/]+)\/([A-Za-z0-9._/-]+)$/;

/** `spiffe://writ.local/agent/agt_…` gives its trust domain and its path; undefined for what is no SPIFFE ID with a path. */
export function readSpiffeId(uri: string): { trustDomain: string; path: string } | undefined {
  const [, domain = '', path = ''] = spiffeId.exec(uri) ?? [];
  return trustDomain.test(domain) ? { trustDomain: domain, path } : undefined;
}

/**
 * The policy engine of a trust domain.
 * @throws RangeError for a name that is none
 */
export function engineSpiffeId(domain: string): string {
  if (!trustDomain.test(domain)) throw new RangeError(`\`${domain}\` is no trust domain`);
  return `spiffe://${domain}/service/policy-engine`;
}

/**
 * The URIs among alternative names as Node writes them: `URI:spiffe://…, DNS:…`. Node quotes a name that holds a comma or
 * a quote, so that it cannot pass for two; a certificate with such a name has no URI here.
 */
export function urisOf(alternativeNames: string | undefined): readonly string[] {
  if (alternativeNames === undefined || alternativeNames.includes('"')) return [];
  return alternativeNames
    .split(', ')
    .filter((name) => name.startsWith(uriMark))
    .map((name) => name.slice(uriMark.length));
}

/** Why the server is not the expected one; undefined when it is. Host names play no part: the SPIFFE ID is the name. */
export function serverMistake(alternativeNames: string | undefined, expected: string): Error | undefined {
  const uris = urisOf(alternativeNames);
  if (uris.length === 1 && uris[0] === expected) return undefined;
  return new Error(
    `the server is not \`${expected}\` but ${uris.map((uri) => `\`${uri}\``).join(', ') || 'nameless'}`,
  );
}
