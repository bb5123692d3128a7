import type { ApprovalDemand } from '../decision/policy-request.js';

/** The annotation that makes a permit wait for people: `@requires_approval("quorum=2,ttl=3600")`. */
export const APPROVAL_ANNOTATION = 'requires_approval';

const form = /^quorum=([1-9]\d?),ttl=([1-9]\d{0,5})$/;
const quorumMax = 10;
const ttlSecondsMin = 60;
const ttlSecondsMax = 7 * 24 * 60 * 60;

/** The demand, or what would be right. */
export function readApprovalAnnotation(value: string): ApprovalDemand | string {
  const [, quorum, ttl] = form.exec(value) ?? [];
  const demand = { quorum: Number(quorum), ttlSeconds: Number(ttl) };
  const inRange =
    demand.quorum <= quorumMax && demand.ttlSeconds >= ttlSecondsMin && demand.ttlSeconds <= ttlSecondsMax;
  if (inRange) return demand;
  return `\`@${APPROVAL_ANNOTATION}\` must be "quorum=1,ttl=3600": 1 to ${quorumMax} people, ${ttlSecondsMin} to ${ttlSecondsMax} seconds`;
}

/** When several permits decide, the strictest demand holds: most people, shortest time. */
export function strictest(demands: readonly ApprovalDemand[]): ApprovalDemand | undefined {
  if (demands.length === 0) return undefined;
  return {
    quorum: Math.max(...demands.map(({ quorum }) => quorum)),
    ttlSeconds: Math.min(...demands.map(({ ttlSeconds }) => ttlSeconds)),
  };
}
