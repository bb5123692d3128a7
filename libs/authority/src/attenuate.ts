import type { AuthorizationDetail, Constraints } from './detail.js';
import type { Grant } from './grant.js';
import type { Limits } from './limits.js';
import { formatMoney, isAtMost, type Money } from './money.js';
import { placeWithin } from './place.js';

/**
 * Attenuation: authority is handed on narrower, never wider. Narrower means that whatever the child allows,
 * the parent allows; it is reflexive and transitive. Each child detail must lie within *one* parent detail:
 * what only several parents together would cover is refused, as is everything else that cannot be proven
 * member by member.
 */

export type WiderReason =
  | 'TYPE'
  | 'ACTION'
  | 'LOCATION'
  | 'IDENTIFIER'
  | 'DATATYPE'
  | 'PRIVILEGE'
  | 'CONSTRAINT'
  | 'AMOUNT'
  | 'LIMIT'
  | 'PURPOSE'
  | 'EXPIRY'
  | 'DEPTH';

export interface Wider {
  readonly reason: WiderReason;
  /** For people. */
  readonly message: string;
}

/** Whether a grant lies within another, in all of its members. */
export function isNarrower(child: Grant, parent: Grant): true | Wider {
  if (child.purpose !== parent.purpose)
    return wider('PURPOSE', `the purpose must stay \`${parent.purpose}\``);
  // Negated, so that an invalid date is wider.
  if (!(child.expiresAt.getTime() <= parent.expiresAt.getTime()))
    return wider('EXPIRY', 'must not expire later than what it hangs below');
  if (!(child.maxDepth <= parent.maxDepth))
    return wider('DEPTH', `at most \`${parent.maxDepth}\` more hops are allowed`);
  const details = detailsAreNarrower(child.details, parent.details);
  return details === true ? limitsAreNarrower(child.limits, parent.limits) : details;
}

/** Whether a grant may hang below another as one more hop: narrower, and the depth leaves room for it. */
export function isDelegable(child: Grant, parent: Grant): true | Wider {
  if (!(parent.maxDepth >= 1)) return wider('DEPTH', 'no further hop is allowed');
  return isNarrower(child, { ...parent, maxDepth: parent.maxDepth - 1 });
}

/**
 * Whether every child detail lies within some parent detail. A child without details allows nothing and is
 * narrower.
 */
export function detailsAreNarrower(
  child: readonly AuthorizationDetail[],
  parent: readonly AuthorizationDetail[],
): true | Wider {
  for (const [index, detail] of child.entries()) {
    const reasons = parent.map((candidate) => detailIsNarrower(detail, candidate));
    if (reasons.includes(true)) continue;
    const sameType = parent.findIndex(({ type }) => type === detail.type);
    const closest = reasons[sameType];
    const reason = closest === undefined || closest === true ? 'TYPE' : closest;
    return wider(
      reason,
      `authorization detail ${index} (\`${detail.type}\`) is wider than what it hangs below`,
    );
  }
  return true;
}

/** Whether one detail lies within one other. */
export function detailIsNarrower(
  child: AuthorizationDetail,
  parent: AuthorizationDetail,
): true | WiderReason {
  if (child.type !== parent.type) return 'TYPE';
  if (!isSubset(child.actions, parent.actions)) return 'ACTION';
  if (!arePlacesWithin(child.locations, parent.locations)) return 'LOCATION';
  if (!arePlacesWithin(listOf(child.identifier), listOf(parent.identifier))) return 'IDENTIFIER';
  if (!isSubset(child.datatypes, parent.datatypes)) return 'DATATYPE';
  if (!isSubset(child.privileges, parent.privileges)) return 'PRIVILEGE';
  if (!areFieldsNarrower(child.constraints, parent.constraints)) return 'CONSTRAINT';
  return isMoneyNarrower(child.constraints?.amountMax, parent.constraints?.amountMax) ? true : 'AMOUNT';
}

/** Whether each limit of the parent is in the child and not higher. */
export function limitsAreNarrower(child: Limits, parent: Limits): true | Wider {
  for (const name of ['amountTotal', 'amountEach'] as const) {
    const max = parent[name];
    if (max !== undefined && !isMoneyNarrower(child[name], max))
      return wider('LIMIT', `limit \`${name}\` must be at most \`${formatMoney(max)}\``);
  }
  const { callsTotal: max } = parent;
  if (max === undefined || (child.callsTotal !== undefined && child.callsTotal <= max)) return true;
  return wider('LIMIT', `limit \`callsTotal\` must be at most \`${max}\``);
}

// In the next three, a parent that is undefined does not narrow; a child that is undefined is then wider
// than one that does.

function isSubset(child: readonly string[] | undefined, parent: readonly string[] | undefined): boolean {
  return parent === undefined || (child?.every((item) => parent.includes(item)) ?? false);
}

function arePlacesWithin(
  child: readonly string[] | undefined,
  parent: readonly string[] | undefined,
): boolean {
  if (parent === undefined) return true;
  return child?.every((place) => parent.some((pattern) => placeWithin(place, pattern))) ?? false;
}

function isMoneyNarrower(child: Money | undefined, parent: Money | undefined): boolean {
  return parent === undefined || (child !== undefined && isAtMost(child, parent));
}

function areFieldsNarrower(child: Constraints | undefined, parent: Constraints | undefined): boolean {
  return (parent?.fields ?? []).every((wide) =>
    (child?.fields ?? []).some((narrow) => narrow.name === wide.name && isSubset(narrow.oneOf, wide.oneOf)),
  );
}

function listOf(item: string | undefined): readonly string[] | undefined {
  return item === undefined ? undefined : [item];
}

function wider(reason: WiderReason, message: string): Wider {
  return { reason, message };
}
