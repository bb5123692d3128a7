import { EvaluationError } from './evaluation-error.js';
import { ExtensionValue } from './extension-value.js';
import { type Long, parseLong } from './integer.js';

const FRACTION_DIGITS = 4;

/** A number with up to four digits behind the point, held as a whole number of ten-thousandths. */
export class Decimal extends ExtensionValue {
  override readonly kind = 'decimal';

  constructor(readonly tenThousandths: Long) {
    super();
  }

  override get key(): string {
    return String(this.tenThousandths);
  }
}

/** @throws EvaluationError when the text is no decimal, has too many digits or exceeds 64 bits */
export function parseDecimal(text: string): Decimal {
  const parts = /^(-?\d+)\.(\d+)$/.exec(text);
  if (parts === null) throw refused(`\`${text}\` is not a well-formed decimal value`);
  const [, whole = '', fraction = ''] = parts;
  if (fraction.length > FRACTION_DIGITS) throw refused(`too many digits after the decimal in \`${text}\``);
  const value = parseLong(whole + fraction.padEnd(FRACTION_DIGITS, '0'));
  if (value === undefined) throw refused('overflow when converting to decimal');
  return new Decimal(value);
}

function refused(message: string): EvaluationError {
  return new EvaluationError(`error while evaluating \`decimal\` extension function: ${message}`);
}
