const unitsMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const durationPattern = /^(\d{1,9})(ms|s|m|h|d)$/;
const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;

/** A time that was given as a duration from now. */
export interface CountedTime {
  /** `4h` */
  readonly typed: string;
  /** What it came to, in RFC 3339. */
  readonly time: string;
}

/** Milliseconds of `500ms`, `10s`, `5m`, `4h`, `30d`; undefined for anything else. */
export function durationMs(text: string): number | undefined {
  const [, count, unit] = durationPattern.exec(text) ?? [];
  return count === undefined || unit === undefined ? undefined : Number(count) * (unitsMs[unit] ?? 0);
}

/**
 * RFC 3339 text of a time, or of a duration counted from `now`.
 * @param past durations count backwards: what `--since 2h` means
 */
export function timestampOf(text: string, now: Date, past: boolean): string | undefined {
  const ms = durationMs(text);
  if (ms !== undefined) return new Date(now.getTime() + (past ? -ms : ms)).toISOString();
  const parsed = new Date(text);
  return timePattern.test(text) && !Number.isNaN(parsed.getTime()) ? parsed.toISOString() : undefined;
}
