import { describe, expect, it } from '@jest/globals';
import { printAnswer } from './print-answer.js';
import { cellText, column, detailText, listOf, shape, visible } from './shape.js';

const things = listOf('things', shape([column('name', 'name'), column('state', 'state')]));

function printed(
  format: 'table' | 'jsonl' | 'name',
  color: boolean,
  answer: Parameters<typeof printAnswer>[3],
): string {
  const out: string[] = [];
  const sink = { tty: color, write: (text: string) => void out.push(text) };
  printAnswer({ out: sink }, { format, color }, things, answer);
  return out.join('');
}

describe('what people see', () => {
  it('never lets the text of strangers steer the terminal', () => {
    expect(visible('pay\u001b[2J\u202Eeur\r\n')).toBe('pay\\u{1b}[2J\\u{202e}eur\\u{d}\\u{a}');
    expect(printed('table', false, { things: [{ name: '\u001b[31mred', state: '' }] })).not.toContain(
      '\u001b',
    );
  });
  it('has colour only where it was asked for', () => {
    const answer = { things: [{ name: 'a', state: 'AGENT_STATE_ACTIVE' }] };
    expect(printed('table', true, answer)).toContain('\u001b[32mactive');
    expect(printed('table', false, answer)).toBe('NAME  STATE\na     active\n');
  });
  it('has a head even when there is nothing to list', () =>
    expect(printed('table', false, {})).toBe('NAME  STATE\n'));
  it('has nothing for programs when there is nothing to list', () => {
    expect(printed('jsonl', false, {})).toBe('');
    expect(printed('name', false, {})).toBe('');
  });
  it.each([
    [undefined, '-'],
    ['AGENT_STATE_AWAITING_ATTESTATION', 'awaiting-attestation'],
    ['2026-09-01T08:00:00.123Z', '2026-09-01T08:00:00Z'],
    [{ currencyCode: 'EUR', value: '5000' }, '5000 EUR'],
    [['ROLE_ADMIN', 'ROLE_OPERATOR'], 'admin, operator'],
    [[], '-'],
    [0, '0'],
  ])('shows %j as `%s`', (value, text) => expect(cellText(value)).toBe(text));
  it('says an authorization detail in one line', () =>
    expect(
      detailText({
        type: 'payment',
        actions: ['read', 'pay'],
        identifier: 'erp/*',
        constraints: { amountMax: { currencyCode: 'EUR', value: '5000' } },
      }),
    ).toBe('payment read|pay erp/* ≤ 5000 EUR'));
});
