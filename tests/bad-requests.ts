import type { Contract, ContractField, ContractMethod } from './contract.js';

/** One thing that is wrong with a request, and the field that it is in. */
export interface Mistake {
  readonly title: string;
  /** Path in the contract, such as `limits.calls_total`; empty when no field is to blame. */
  readonly field: string;
  readonly bytes: Buffer;
}

/** A plain object in the contract's own spelling. */
export type Request = { readonly [field: string]: unknown };

interface BadValue {
  readonly title: string;
  readonly value: unknown;
}

const BEYOND_2_53 = '9007199254740993';
const LONG = 'x'.repeat(600 * 1024);
const MANY = 20_000;
const ULID = '01K41M7JG0000000000000TEST';

/** Wrong whatever the field means. */
function badText({ name }: ContractField): BadValue[] {
  const bad: BadValue[] = [
    { title: 'a NUL character', value: 'a\u0000b' },
    { title: '600 KiB of text', value: LONG },
  ];
  if (name === 'page_token' || name === 'etag') bad.push({ title: 'garbage', value: 'garbage!' });
  if (name === 'request_id') bad.push({ title: 'no UUID', value: 'once' });
  if (/_ids?$/.test(name) && name !== 'request_id') {
    // Of a kind that nothing is asked for by.
    bad.push(
      { title: 'an id of another kind', value: `crt_${ULID}` },
      { title: 'no id', value: "' or true --" },
    );
  }
  return bad;
}

function badValues(field: ContractField): BadValue[] {
  switch (field.type) {
    case 'TYPE_STRING':
      return badText(field);
    case 'TYPE_ENUM':
      return [
        { title: 'an unknown number', value: 9_999 },
        { title: 'a negative number', value: -7 },
      ];
    case 'TYPE_INT64':
      return [
        { title: 'an integer beyond 2^53', value: BEYOND_2_53 },
        { title: 'the least integer of 64 bits', value: '-9223372036854775808' },
      ];
    case 'TYPE_INT32':
      return field.name === 'page_size'
        ? [{ title: 'a page of -1', value: -1 }]
        : [
            { title: 'the greatest integer of 32 bits', value: 2_147_483_647 },
            { title: 'a negative number', value: -1 },
          ];
    case 'TYPE_BYTES':
      return [{ title: '600 KiB of bytes', value: Buffer.from(LONG) }];
    case 'TYPE_BOOL':
      return [];
    default:
      throw new Error(`nobody has said what is wrong in a \`${field.type}\``);
  }
}

const isTime = ({ typeName }: ContractField) => typeName.endsWith('protobuf.Timestamp');
const badTimes: readonly BadValue[] = [
  { title: 'a time beyond all calendars', value: { seconds: '9223372036854775807' } },
  { title: 'a time before the year 1', value: { seconds: '-99999999999999' } },
];

/** Every single mistake that can be made in a request that is right otherwise, in every field at every depth. */
export function mistakesIn(contract: Contract, method: ContractMethod, right: Request): Mistake[] {
  return within(contract, method.request, right, '').map(({ title, field, request }) => ({
    title,
    field,
    bytes: method.encode(request),
  }));
}

interface Wrong {
  readonly title: string;
  readonly field: string;
  readonly request: Request;
}

function within(contract: Contract, message: string, right: Request, path: string): Wrong[] {
  return contract.fields(message).flatMap((field) => {
    const here = path === '' ? field.name : `${path}.${field.name}`;
    const put = (value: unknown): Request => ({ ...right, [field.name]: field.repeated ? [value] : value });
    const wrong = ({ title, value }: BadValue): Wrong => ({ title, field: here, request: put(value) });
    const many = field.repeated ? [tooMany(field, right, here)] : [];
    if (field.type !== 'TYPE_MESSAGE') return [...badValues(field).map(wrong), ...many];
    if (isTime(field)) return badTimes.map(wrong);
    const given = right[field.name];
    const inner = (Array.isArray(given) ? given[0] : given) ?? {};
    const deeper = within(contract, contract.messageOf(field, message), inner, here);
    return [...deeper.map(({ request, ...rest }) => ({ ...rest, request: put(request) })), ...many];
  });
}

function tooMany(field: ContractField, right: Request, here: string): Wrong {
  const given = right[field.name];
  const one: unknown = Array.isArray(given) ? given[0] : undefined;
  const fallback = field.type === 'TYPE_STRING' ? 'x' : field.type === 'TYPE_MESSAGE' ? {} : 1;
  const each = field.type === 'TYPE_MESSAGE' ? {} : (one ?? fallback);
  return {
    title: `${MANY} items`,
    field: here,
    request: { ...right, [field.name]: Array.from({ length: MANY }, () => each) },
  };
}

/** What is wrong before anybody can say in which field. */
export function wrongBytes(contract: Contract, method: ContractMethod): Mistake[] {
  const [text] = contract.fields(method.request).filter(({ type }) => type === 'TYPE_STRING');
  const tag = (text?.number ?? 1) * 8 + 2;
  const wrong: [title: string, bytes: Buffer][] = [
    ['bytes that are no message', Buffer.alloc(32, 0xff)],
    ['a field that says it is longer than the message', Buffer.from([tag, 0xff, 0x7f, 0x61])],
    ['a group that never ends', Buffer.from([0x0b])],
    ['groups nested 300 000 deep', Buffer.alloc(300_000, 0x0b)],
  ];
  return wrong.map(([title, bytes]) => ({ title, field: '', bytes }));
}

/** One byte more than a request may have, in a field that the contract does not know. */
export function tooLarge(bytesMax: number): Buffer {
  const content = Buffer.alloc(bytesMax - 5);
  const head = Buffer.from([0xfa, 0xff, 0xff, 0xff, 0x0f]);
  const length: number[] = [];
  for (let rest = content.length; rest > 0; rest >>>= 7)
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
  return Buffer.concat([head, Buffer.from(length), content]);
}

/** Messages that hold themselves, however far down: only these could be nested without end. */
export function recursive(contract: Contract, message: string, above: readonly string[] = []): string[] {
  if (above.includes(message)) return [message];
  return contract
    .fields(message)
    .filter((field) => field.type === 'TYPE_MESSAGE' && !isTime(field))
    .flatMap((field) => recursive(contract, contract.messageOf(field, message), [...above, message]));
}
