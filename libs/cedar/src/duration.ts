import { EvaluationError } from './evaluation-error.js';
import { ExtensionValue } from './extension-value.js';
import { type Long, longOf } from './integer.js';

/** A span of time in milliseconds, possibly negative. */
export class Duration extends ExtensionValue {
  override readonly kind = 'duration';

  constructor(readonly milliseconds: Long) {
    super();
  }

  override get key(): string {
    return String(this.milliseconds);
  }
}

const pattern = /^-?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?$/;
const unitMilliseconds = [86_400_000n, 3_600_000n, 60_000n, 1_000n, 1n];
/** No more digits fit 64 bits; longer ones are not converted to find that out. */
const DIGITS_MAX = 19;

/** Days, hours, minutes, seconds and milliseconds in this order, as `-1d2h3m4s5ms`. @throws EvaluationError */
export function parseDuration(text: string): Duration {
  const parts = text === '' || text === '-' ? null : pattern.exec(text);
  if (parts === null) throw refused('invalid duration pattern');
  let total = 0n;
  for (const [index, unit] of unitMilliseconds.entries()) {
    const digits = (parts[index + 1] ?? '').replace(/^0+/, '');
    if (digits.length > DIGITS_MAX) throw refused('Duration overflows internal representation');
    total += BigInt(digits === '' ? 0 : digits) * unit;
  }
  const milliseconds = longOf(text.startsWith('-') ? -total : total);
  if (milliseconds === undefined) throw refused('Duration overflows internal representation');
  return new Duration(milliseconds);
}

function refused(message: string): EvaluationError {
  return new EvaluationError(`error while evaluating \`duration\` extension function: ${message}`);
}
