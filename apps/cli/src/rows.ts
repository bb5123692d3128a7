import { at, type JsonObject, textAt } from './json.js';
import { cellText } from './shape.js';
import type { Argument, Option } from './verb.js';

/** A flag that fills the field of the same name; `more` says what is different. */
export function flag(name: string, doc: string, more: Partial<Omit<Option, 'flag' | 'doc'>> = {}): Option {
  return { flag: name, field: name.replaceAll('-', '_'), doc, ...more };
}

/** The positional argument that names what the verb is about: `AGENT` is `agent_id`. */
export function idArgument(noun: string, doc = `the ${noun.replaceAll('_', ' ')}`): Argument {
  return {
    name: noun.toUpperCase().replaceAll('_', '-'),
    field: `${noun}_id`,
    doc: `${doc}: its id or its name`,
  };
}

export const etag = flag('etag', 'change it only if it is still as when this etag was read');
export const approval = flag('approval', 'the approval of exactly this action', { field: 'approval_id' });
export const atLeast = flag('at-least', 'facts to know first', { field: 'at_least' });
export const presentedCertificate = flag(
  'presented-certificate',
  'base64url SHA-256 of the certificate that the agent presented; for enforcement points',
  { field: 'presented_certificate_sha256' },
);

/** How a grant says what it allows. */
export const authorityFlags = [
  flag('detail', 'what is allowed, as in `type=payment,actions=pay,identifier=erp/*,amount_max=5000EUR`', {
    field: 'authorization_details',
  }),
  flag('limits', 'how much in all, as in `amount_total=20000EUR,amount_each=5000EUR,calls_total=100`'),
  flag('expires', 'when it ends', { field: 'expire_time' }),
  flag('max-depth', 'how many times it may be handed on, 0 to 8'),
] as const;

/** `20000 EUR in all, 5000 EUR each, 100 calls` */
export function limitsCell(row: JsonObject): string {
  const total = at(row, 'limits.amountTotal');
  const each = at(row, 'limits.amountEach');
  const calls = textAt(row, 'limits.callsTotal');
  const parts = [
    total === undefined ? '' : `${cellText(total)} in all`,
    each === undefined ? '' : `${cellText(each)} each`,
    calls === '' ? '' : `${calls} calls`,
  ];
  return parts.filter((part) => part !== '').join(', ') || '-';
}
