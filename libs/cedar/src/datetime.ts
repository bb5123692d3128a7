import { Duration } from './duration.js';
import { EvaluationError } from './evaluation-error.js';
import { ExtensionValue } from './extension-value.js';
import { add, type Long, modulo, subtract } from './integer.js';

const DAY_MILLISECONDS = 86_400_000;

/** A moment, in milliseconds since the beginning of 1970 in UTC. */
export class Datetime extends ExtensionValue {
  override readonly kind = 'datetime';

  constructor(readonly epochMilliseconds: Long) {
    super();
  }

  override get key(): string {
    return String(this.epochMilliseconds);
  }

  override toString(): string {
    return `datetime("1970-01-01").offset(duration("${this.epochMilliseconds}ms"))`;
  }
}

const datePattern = /^(\d{4})-(\d{2})-(\d{2})/;
const timePattern = /^T(\d{2}):(\d{2}):(\d{2})/;
const endPattern = /^(?:\.(\d{3}))?(?:Z|([+-])(\d{2})(\d{2}))$/;

/** `YYYY-MM-DD`, or with `Thh:mm:ss`, optional `.SSS` and `Z` or an offset `±hhmm`. @throws EvaluationError */
export function parseDatetime(text: string): Datetime {
  const date = datePattern.exec(text);
  if (date === null) throw refused('datetime', 'invalid date pattern');
  const [written] = date;
  const days = daysSinceEpoch(Number(date[1]), Number(date[2]), Number(date[3]));
  if (written.length === text.length) {
    if (days === undefined) throw refused('datetime', `invalid date: ${written}`);
    return new Datetime(days * DAY_MILLISECONDS);
  }
  const time = timePattern.exec(text.slice(written.length));
  if (time === null) throw refused('datetime', 'invalid hour/minute/second pattern');
  const end = endPattern.exec(text.slice(written.length + time[0].length));
  if (end === null) throw refused('datetime', 'invalid millisecond and/or offset pattern');
  if (days === undefined) throw refused('datetime', `invalid date: ${written}`);
  const [hours, minutes, seconds] = [Number(time[1]), Number(time[2]), Number(time[3])];
  if (hours > 23 || minutes > 59 || seconds > 59)
    throw refused('datetime', `invalid hour/minute/second: ${time[0].slice(1)}`);
  const milliseconds = ((hours * 60 + minutes) * 60 + seconds) * 1000 + Number(end[1] ?? 0);
  return new Datetime(days * DAY_MILLISECONDS + milliseconds - offsetMilliseconds(end));
}

function offsetMilliseconds([, , sign, hh, mm]: RegExpExecArray): number {
  if (sign === undefined) return 0;
  const [hours, minutes] = [Number(hh), Number(mm)];
  if (hours > 23 || minutes > 59) throw refused('datetime', `invalid offset range: ${hours}${minutes}`);
  return (sign === '+' ? 1 : -1) * (hours * 60 + minutes) * 60_000;
}

/** By the Gregorian calendar, also for years before it; undefined for a day that does not exist. */
function daysSinceEpoch(year: number, month: number, day: number): number | undefined {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  const exists = date.getUTCFullYear() === year && date.getUTCMonth() === month - 1;
  return exists && month > 0 && day > 0 ? date.getTime() / DAY_MILLISECONDS : undefined;
}

export function offset(moment: Datetime, by: Duration): Datetime {
  return new Datetime(
    checked('offset', `overflows when adding an offset: ${moment}+(${by.milliseconds}ms)`, () =>
      add(moment.epochMilliseconds, by.milliseconds),
    ),
  );
}

export function durationSince(moment: Datetime, earlier: Datetime): Duration {
  return new Duration(
    checked('durationSince', `overflows when computing the duration between ${moment} and ${earlier}`, () =>
      subtract(moment.epochMilliseconds, earlier.epochMilliseconds),
    ),
  );
}

export function toDate(moment: Datetime): Datetime {
  return new Datetime(
    checked('toDate', `overflows when computing the date of ${moment}`, () =>
      subtract(moment.epochMilliseconds, modulo(moment.epochMilliseconds, DAY_MILLISECONDS)),
    ),
  );
}

export function toTime(moment: Datetime): Duration {
  return new Duration(modulo(moment.epochMilliseconds, DAY_MILLISECONDS));
}

function checked(name: string, message: string, compute: () => Long): Long {
  try {
    return compute();
  } catch {
    throw refused(name, message);
  }
}

function refused(name: string, message: string): EvaluationError {
  return new EvaluationError(`error while evaluating \`${name}\` extension function: ${message}`);
}
