import { Refusal } from '@writ/kernel';
import { addMoney, formatMoney, isAtMost, type Money, readMoney } from './money.js';
import { FieldReader, member } from './reader.js';

/** How much a grant may be used; what is left out is not limited. */
export interface Limits {
  /** The most that all actions together may move. */
  readonly amountTotal?: Money;
  /** The most that one action may move. */
  readonly amountEach?: Money;
  /** How many actions, from 1. */
  readonly callsTotal?: number;
}

/** What has been used of one grant. */
export interface Usage {
  /** Counted only under an `amountTotal`, in its currency. */
  readonly amount?: Money;
  readonly calls: number;
}

/** What one action uses. */
export interface Use {
  readonly amount?: Money;
  /** From 1. */
  readonly calls: number;
}

export type LimitReason = 'AMOUNT_EACH' | 'AMOUNT_TOTAL' | 'CALLS_TOTAL';

export interface Overuse {
  readonly reason: LimitReason;
  /** For people. */
  readonly message: string;
}

export const nothingUsed: Usage = { calls: 0 };

/** @throws Refusal LIMITS_INVALID, naming every bad field */
export function parseLimits(json: unknown, field = 'limits'): Limits {
  const reader = new FieldReader();
  const limits = readLimits(reader, json, field);
  if (limits !== undefined && reader.violations.length === 0) return limits;
  const [first] = reader.violations;
  const message = `limits are not valid: \`${first?.field}\` ${first?.description}`;
  throw new Refusal('LIMITS_INVALID', 'invalid', message, reader.violations);
}

export function isUnlimited({ amountTotal, amountEach, callsTotal }: Limits): boolean {
  return amountTotal === undefined && amountEach === undefined && callsTotal === undefined;
}

/**
 * The usage after one more action, or why it would be too much. Nothing is used up by a use that is
 * refused. An amount in another currency than the limit's is too much: there is no rate here.
 */
export function consume(
  limits: Limits,
  usage: Usage,
  use: Use,
): { readonly usage: Usage } | { readonly overuse: Overuse } {
  if (!Number.isSafeInteger(use.calls) || use.calls < 1) throw new Error(`a use of \`${use.calls}\` calls`);
  const each = overuseOfEach(limits, use.amount);
  if (each !== undefined) return { overuse: each };
  const calls = usage.calls + use.calls;
  const { callsTotal, amountTotal } = limits;
  if (callsTotal !== undefined && !(calls <= callsTotal))
    return overuse('CALLS_TOTAL', `\`${usage.calls}\` of \`${callsTotal}\` calls are used`);
  if (amountTotal === undefined || use.amount === undefined) return { usage: { ...usage, calls } };
  if (use.amount.currency !== amountTotal.currency)
    return overuse(
      'AMOUNT_TOTAL',
      `\`${formatMoney(use.amount)}\` cannot count against \`${formatMoney(amountTotal)}\``,
    );
  const used = usage.amount ?? { currency: amountTotal.currency, units: 0n };
  const amount = addMoney(used, use.amount);
  if (isAtMost(amount, amountTotal)) return { usage: { amount, calls } };
  const soFar = `\`${formatMoney(used)}\` of \`${formatMoney(amountTotal)}\` are used`;
  return overuse('AMOUNT_TOTAL', `${soFar}, \`${formatMoney(use.amount)}\` more is too much`);
}

/** What one action alone breaks, whatever was used before. */
export function overuseOfEach({ amountEach }: Limits, amount: Money | undefined): Overuse | undefined {
  if (amountEach === undefined || amount === undefined || isAtMost(amount, amountEach)) return undefined;
  const most = `at most \`${formatMoney(amountEach)}\` each is allowed`;
  const message = `amount \`${formatMoney(amount)}\` is not allowed, ${most}`;
  return { reason: 'AMOUNT_EACH', message };
}

function overuse(reason: LimitReason, message: string): { readonly overuse: Overuse } {
  return { overuse: { reason, message } };
}

function readLimits(reader: FieldReader, json: unknown, field: string): Limits | undefined {
  const members = reader.object(json, field, ['amountTotal', 'amountEach', 'callsTotal']);
  if (members === undefined) return undefined;
  const money = (name: string) =>
    members[name] === undefined ? undefined : readMoney(reader, members[name], member(field, name));
  const amountTotal = money('amountTotal');
  const amountEach = money('amountEach');
  const callsTotal =
    members.callsTotal === undefined
      ? undefined
      : reader.integer(members.callsTotal, member(field, 'callsTotal'), 1, Number.MAX_SAFE_INTEGER);
  return {
    ...(amountTotal && { amountTotal }),
    ...(amountEach && { amountEach }),
    ...(callsTotal !== undefined && { callsTotal }),
  };
}
