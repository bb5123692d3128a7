import type { Action } from '@writ/authority';
import type { ReasonCode } from './reasons.js';

/** The classes that a data type of an action may name, from harmless to the most sensitive. Other words have no class. */
export const sensitivities = ['public', 'internal', 'confidential', 'restricted'] as const;
export type SensitivityName = (typeof sensitivities)[number];

export interface TrustCeiling {
  /** From this score on, 0 to 100. */
  readonly scoreMin: number;
  /** Whether an agent of the production environment may act at all. */
  readonly production: boolean;
  /** In whole units of the action's own currency: a ceiling of size, not of value. Left out: no ceiling. */
  readonly amountMax?: bigint;
  readonly sensitivityMax: SensitivityName;
}

/**
 * What a trust score allows at most, whatever was granted. The weakest score of the chain counts: a trusted agent does
 * not lend its trust to the one it delegates to.
 *
 * | score    | production | amount     | data         |
 * |----------|------------|------------|--------------|
 * | 70 – 100 | yes        | any        | restricted   |
 * | 50 – 69  | yes        | 10 000     | confidential |
 * | 30 – 49  | yes        | 1 000      | internal     |
 * | 0 – 29   | no         | 0          | public       |
 */
export const trustCeilings: readonly TrustCeiling[] = [
  { scoreMin: 70, production: true, sensitivityMax: 'restricted' },
  { scoreMin: 50, production: true, amountMax: 10_000n, sensitivityMax: 'confidential' },
  { scoreMin: 30, production: true, amountMax: 1_000n, sensitivityMax: 'internal' },
  { scoreMin: 0, production: false, amountMax: 0n, sensitivityMax: 'public' },
];

/** Ten-thousandths of a currency unit, as `Money` counts. */
const unitsPerWhole = 10_000n;

export interface TrustBreach {
  readonly reason: Extract<ReasonCode, `TRUST_${string}`>;
  readonly message: string;
}

/** Why a score is too low for an action, if it is. A score outside 0 to 100 counts as 0. */
export function trustBreach(o: {
  readonly score: number;
  readonly inProduction: boolean;
  readonly action: Action;
}): TrustBreach | undefined {
  const score = o.score >= 0 && o.score <= 100 ? o.score : 0;
  const ceiling = trustCeilings.find(({ scoreMin }) => score >= scoreMin);
  if (ceiling === undefined) throw new Error(`no ceiling for a trust score of ${score}`);
  if (o.inProduction && !ceiling.production)
    return breach('TRUST_PRODUCTION', `trust score ${score} is too low for production, 30 is needed`);
  const { amountMax, sensitivityMax } = ceiling;
  const { amount } = o.action;
  if (amountMax !== undefined && amount !== undefined && amount.units > amountMax * unitsPerWhole)
    return breach(
      'TRUST_AMOUNT',
      `trust score ${score} allows at most \`${amountMax} ${amount.currency}\` in one action`,
    );
  const class_ = sensitivityOf(o.action);
  if (class_ !== undefined && isAbove(class_, sensitivityMax))
    return breach('TRUST_SENSITIVITY', `trust score ${score} allows \`${sensitivityMax}\` data at most`);
  return undefined;
}

/** The most sensitive class that an action's data types name, if any. */
export function sensitivityOf({ datatypes }: Action): SensitivityName | undefined {
  return sensitivities.findLast((name) => datatypes?.includes(name));
}

export function isAbove(a: SensitivityName, b: SensitivityName): boolean {
  return sensitivities.indexOf(a) > sensitivities.indexOf(b);
}

function breach(reason: TrustBreach['reason'], message: string): TrustBreach {
  return { reason, message };
}
