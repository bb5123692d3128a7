import { describe, expect, it } from '@jest/globals';
import { durationSince, offset, parseDatetime, toDate, toTime } from './datetime.js';
import { parseDecimal } from './decimal.js';
import { parseDuration } from './duration.js';
import { EvaluationError } from './evaluation-error.js';
import { parseIp } from './ip.js';

/** The message of the error that the computation ends with. */
function failure(compute: () => unknown): string {
  try {
    compute();
  } catch (thrown) {
    if (thrown instanceof EvaluationError) return thrown.message;
    throw thrown;
  }
  return 'none';
}

describe('a decimal', () => {
  it.each([
    ['1.0', 10_000],
    ['-1.5', -15_000],
    ['00.0001', 1],
    ['922337203685477.5807', 9_223_372_036_854_775_807n],
    ['-922337203685477.5808', -9_223_372_036_854_775_808n],
  ])('%s is held exactly', (text, held) => expect(parseDecimal(text).tenThousandths).toBe(held));

  it.each(['1', '1.', '.5', '1.00001', '+1.0', '922337203685477.5808', `${'9'.repeat(100_000)}.0`])(
    '%.20s is none',
    (text) => expect(failure(() => parseDecimal(text))).toContain('`decimal`'),
  );
});

describe('a duration', () => {
  it.each([
    ['1d2h3m4s5ms', 93_784_005],
    ['-1h', -3_600_000],
    ['-9223372036854775808ms', -9_223_372_036_854_775_808n],
    [`${'0'.repeat(1_000)}1s`, 1_000],
  ])('%.20s is so many milliseconds', (text, held) => expect(parseDuration(text).milliseconds).toBe(held));

  it.each(['', '-', '1', '1h1d', '1.5h', '9223372036854775808ms', `${'9'.repeat(100_000)}d`])(
    '%.20s is none',
    (text) => expect(failure(() => parseDuration(text))).toContain('`duration`'),
  );
});

describe('a datetime', () => {
  it.each([
    ['1970-01-01', 0],
    ['0000-01-01', -62_167_219_200_000],
    ['2024-02-29T23:59:59.999-2359', 1_709_337_539_999],
    ['9999-12-31T00:00:00Z', 253_402_214_400_000],
  ])('%s is so many milliseconds after 1970', (text, held) =>
    expect(parseDatetime(text).epochMilliseconds).toBe(held),
  );

  it.each([
    ...[
      '2023-02-29',
      '2024-00-01',
      '2024-01-00',
      '2024-13-01',
      '2024-1-1',
      '2024-01-01T',
      '2024-01-01T24:00:00Z',
    ],
    ...['2024-01-01T00:00:60Z', '2024-01-01T00:00:00', '2024-01-01T00:00:00+2400', '2024-01-01T00:00:00.1Z'],
  ])('%s is none', (text) => expect(failure(() => parseDatetime(text))).toContain('`datetime`'));

  const last = offset(parseDatetime('1970-01-01'), parseDuration('9223372036854775807ms'));
  const first = offset(parseDatetime('1970-01-01'), parseDuration('-9223372036854775808ms'));
  it('beyond the last moment does not exist', () =>
    expect(failure(() => offset(last, parseDuration('1ms')))).toContain('`offset`'));
  it('has no date before the first whole day', () =>
    expect(failure(() => toDate(first))).toContain('`toDate`'));
  it('is not too far from another, or it is an error', () =>
    expect(failure(() => durationSince(last, first))).toContain('`durationSince`'));
  it('before 1970 has a time of day like others', () =>
    expect(toTime(parseDatetime('1969-12-31T23:59:59.999Z')).milliseconds).toBe(86_399_999));
});

describe('an address', () => {
  it.each([
    ['10.1.2.3', '10.0.0.0/8', true],
    ['10.0.0.0/7', '10.0.0.0/8', false],
    ['::1', '::/0', true],
    ['10.0.0.1', '::/0', false],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0', true],
  ])('%s in %s: %s', (address, range, within) =>
    expect(parseIp(address).isInRange(parseIp(range))).toBe(within),
  );

  it.each([
    ...[
      '1.2.3',
      '01.2.3.4',
      '256.1.1.1',
      '1.2.3.4/33',
      '1.2.3.4/08',
      '1.2.3.4/',
      '::/129',
      '1::2::3',
      ':1',
      'g::',
    ],
    ...['1:2:3:4:5:6:7::8', '::ffff:1.2.3.4', '12345::', '', '/8', '1'.repeat(1_000_000)],
  ])('%.20s is none', (text) => expect(failure(() => parseIp(text))).toContain('`ipaddr`'));

  it('is a loopback only as a whole range', () =>
    expect(['127.1.1.1', '127.0.0.0/7', '::1', '::1/127'].map((text) => parseIp(text).isLoopback())).toEqual([
      true,
      false,
      true,
      false,
    ]));
});
