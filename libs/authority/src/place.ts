/**
 * Where a thing is: the text of `identifier` and `locations` (RFC 9396 section 2.2). Segments are parted by
 * `/`. In an authorization detail, and only there, the last segment may be `*`: it stands for one or more
 * whole segments below, never for the place itself. Nothing else is a wildcard and nothing is normalized:
 * two spellings are two places.
 */

const scheme = /^[a-z][a-z0-9+.-]*:\/\//;
// What a server behind us might decode into a dot, a slash or a further escape, and so leave the place.
const encodedStep = /%(?:2e|2f|5c|25)/i;
// `..;x` climbs too where servers cut path parameters.
const dotSegment = /^\.{1,2}(?:;.*)?$/;
const below = '/*';

/** What is wrong with a place, or nothing. A pattern may end in `/*`; the place of an action may not. */
export function placeProblem(text: string, allows: 'pattern' | 'exact'): string | undefined {
  if (text.includes('\\')) return 'must not hold a backslash';
  if (encodedStep.test(text)) return 'must not hold an encoded dot, slash, backslash or percent sign';
  const start = scheme.exec(text)?.[0].length ?? 0;
  const rest = text.slice(start);
  if (start > 0 && /[?#]/.test(rest)) return 'must not hold a query or fragment';
  const segments = (start === 0 && rest.startsWith('/') ? rest.slice(1) : rest).split('/');
  if (start > 0 && segments[0]?.includes('@')) return 'must not hold a user name before the host';
  if (segments.includes('')) return 'must not hold an empty segment or end in `/`';
  if (segments.some((segment) => dotSegment.test(segment))) return 'must not hold a `.` or `..` segment';
  const fixed = allows === 'pattern' && segments.at(-1) === '*' ? segments.slice(0, -1) : segments;
  if (fixed.length === 0) return 'must name a place before `/*`; leave the member out to cover any place';
  if (fixed.some((segment) => segment.includes('*')))
    return allows === 'pattern' ? 'may hold `*` only as its whole last segment' : 'must not hold `*`';
  return undefined;
}

/**
 * Whether a pattern covers the exact place of an action. A place that is not well formed is covered by no
 * wildcard.
 */
export function placeCovers(pattern: string, place: string): boolean {
  if (!pattern.endsWith(below)) return pattern === place;
  return place.startsWith(pattern.slice(0, -1)) && placeProblem(place, 'exact') === undefined;
}

/** Whether each place that `child` covers is covered by `parent`. */
export function placeWithin(child: string, parent: string): boolean {
  if (child === parent) return true;
  if (!parent.endsWith(below)) return false;
  return child.startsWith(parent.slice(0, -1)) && placeProblem(child, 'pattern') === undefined;
}
