import fc from 'fast-check';

/** Texts of expressions. Most are well typed; some operands are of any type, so that errors are met too. */

export const types = ['U', 'G', 'D', 'N::R'] as const;
export const ids = ['a', 'b', 'c', 'x y"z', ''] as const;
export const actions = ['read', 'write', 'all'] as const;
export const names = [
  'n',
  's',
  'e',
  'set',
  'rec',
  'ip',
  'dec',
  'at',
  'for',
  'yes',
  'x y',
  '__proto__',
] as const;

export const texts = ['', 'a', 'ab', 'abab', 'a*b', 'é', '😀', 'aaaaaaaaab', '10.0.0.1', 'n', 's', 'a\\b"c'];
export const longs = [
  ...['0', '1', '2', '-1', '7', '10', '1000', '3037000500', '9007199254740991', '9007199254740992'],
  ...['9007199254740993', '-9007199254740993', '4611686018427387904', '9223372036854775807'],
  ...['9223372036854775806', '-9223372036854775808', '-9223372036854775807', '0009'],
];
export const ips = [
  ...[
    '10.0.0.1',
    '10.0.0.0/8',
    '10.0.0.0/24',
    '127.0.0.1',
    '127.0.0.0/7',
    '127.1.2.3/8',
    '224.0.0.1',
    '::1',
    '::',
  ],
  ...[
    '::1/127',
    'ff00::/8',
    'ff00::/7',
    'fe80::1:2',
    '1:2:3:4:5:6:7:8',
    '1:2:3:4:5:6:7::',
    '::2:3:4:5:6:7:8',
  ],
  ...[
    '0.0.0.0/0',
    '::/0',
    '255.255.255.255/32',
    '1.2.3',
    '01.2.3.4',
    '256.1.1.1',
    '1.2.3.4/33',
    '1.2.3.4/08',
  ],
  ...[
    '1::2::3',
    '::ffff:1.2.3.4',
    '1.2.3.4/',
    'g::',
    '12345::',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8',
    ':1',
    '1:',
  ],
];
export const decimals = [
  ...[
    '0.0',
    '1.0',
    '1.00',
    '1.0000',
    '-1.5',
    '-0.5',
    '0.0001',
    '922337203685477.5807',
    '-922337203685477.5808',
  ],
  ...['922337203685477.5808', '1', '1.', '.5', '1.00001', '-.5', '00001.5', '+1.0', '-0.0', '٣.٣'],
];
export const datetimes = [
  ...[
    '2024-01-01',
    '1970-01-01',
    '0000-01-01',
    '9999-12-31',
    '2024-02-29',
    '2023-02-29',
    '2024-13-01',
    '2024-00-10',
  ],
  ...[
    '2024-01-01T10:20:30Z',
    '2024-01-01T10:20:30.123Z',
    '2024-01-01T10:20:30+0130',
    '2024-01-01T00:00:00.001-2359',
  ],
  ...[
    '2024-01-01T24:00:00Z',
    '2024-01-01T10:20:60Z',
    '2024-01-01T10:20:30',
    '2024-01-01T10:20:30+2400',
    '1969-12-31',
  ],
  ...[
    '1969-12-31T23:59:59.999Z',
    '2024-01-01Z',
    '2024-1-1',
    '0099-03-01',
    '1900-02-29',
    '2000-02-29',
    '2024-04-31',
  ],
];
export const durations = [
  ...[
    '0ms',
    '1ms',
    '-1ms',
    '1d',
    '1d2h3m4s5ms',
    '-1d2h',
    '24h',
    '86400s',
    '',
    '-',
    '1h1d',
    '1x',
    '1',
    '1.5h',
    'd',
  ],
  ...[
    '9223372036854775807ms',
    '-9223372036854775808ms',
    '9223372036854775808ms',
    '106751991167d',
    '106751991168d',
  ],
  ...['00000000000000000000000001s', '99999999999999999999d', '1000ms', '999ms', '-999ms'],
];

export function quoted(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&').replaceAll('\0', '\\0')}"`;
}

export const uid = fc
  .tuple(fc.constantFrom(...types), fc.constantFrom(...ids))
  .map(([type, id]) => `${type}::${quoted(id)}`);
const action = fc.constantFrom(...actions).map((id) => `Action::"${id}"`);
const text = fc.constantFrom(...texts);
const pattern = fc
  .array(fc.constantFrom('*', '\\*', 'a', 'b', 'ab', 'é', '😀'), { maxLength: 5 })
  .map((parts) => `"${parts.join('')}"`);
const attribute = fc.constantFrom(...names);
const call = (name: string, values: readonly string[]) =>
  fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom(...values).map((value) => `${name}(${quoted(value)})`) },
    {
      weight: 1,
      arbitrary: fc
        .string({ maxLength: 6 })
        .map((value) => `${name}(${quoted(value.replaceAll(/[\0\r]/g, ''))})`),
    },
  );

type Kind =
  | 'bool'
  | 'long'
  | 'string'
  | 'entity'
  | 'set'
  | 'record'
  | 'ip'
  | 'decimal'
  | 'datetime'
  | 'duration'
  | 'any';
type Expressions = Record<Kind, string>;

/** Joins parts and operators: `write('bool', '<', 'long')` in the notation of `fc.letrec`. */
const joined = (...parts: readonly (fc.Arbitrary<string> | string)[]) =>
  fc
    .tuple(...parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part)))
    .map((all) => all.join(''));

const depth = { depthSize: 'small', maxDepth: 4 } as const;

export const expressions = fc.letrec<Expressions>((tie) => {
  const bool = tie('bool');
  const long = tie('long');
  const string = tie('string');
  const entity = tie('entity');
  const set = tie('set');
  const any = tie('any');
  const variable = fc.constantFrom('principal', 'resource', 'context', 'action');
  const reached = joined(
    '(',
    any,
    ')',
    fc.oneof(
      attribute.map((name) => `[${quoted(name)}]`),
      joined('.getTag(', string, ')'),
    ),
  );
  const fromContext = (name: string) =>
    fc.constantFrom(`context.${name}`, `principal.${name}`, `resource.${name}`);
  const chosen = (kind: fc.Arbitrary<string>) => joined('(if ', bool, ' then ', kind, ' else ', kind, ')');
  const compared = (kind: fc.Arbitrary<string>) =>
    joined('(', kind, fc.constantFrom(' < ', ' <= ', ' > ', ' >= '), kind, ')');
  return {
    any: fc.oneof(
      depth,
      variable,
      bool,
      long,
      string,
      entity,
      set,
      tie('record'),
      tie('ip'),
      tie('decimal'),
      tie('datetime'),
      tie('duration'),
      reached,
    ),
    bool: fc.oneof(
      depth,
      fc.constantFrom('true', 'false'),
      fromContext('yes'),
      joined('(', bool, ' && ', bool, ')'),
      joined('(', bool, ' || ', bool, ')'),
      joined('(', bool, ' && ', bool, ' && ', bool, ')'),
      joined('(!', bool, ')'),
      joined('(', any, fc.constantFrom(' == ', ' != '), any, ')'),
      joined('(', long, fc.constantFrom(' == ', ' != '), long, ')'),
      compared(long),
      compared(tie('datetime')),
      compared(tie('duration')),
      compared(any),
      joined(
        '(',
        entity,
        ' in ',
        fc.oneof(
          entity,
          set,
          uid.map((one) => `[${one}, G::"a"]`),
        ),
        ')',
      ),
      joined('(', entity, ' is ', fc.constantFrom(...types), ')'),
      joined('(', entity, ' is ', fc.constantFrom(...types), ' in ', fc.oneof(entity, set), ')'),
      joined('(', fc.oneof(variable, any), ' has ', attribute.map(quoted), ')'),
      joined(
        '(',
        fc.oneof(variable, any),
        ' has ',
        fc.constantFrom('n', 'rec.n', 'rec.rec.n', 'e.n', 'e.e.rec.s'),
        ')',
      ),
      joined('(', string, ' like ', pattern, ')'),
      joined('(', set, '.contains(', any, '))'),
      joined('(', set, fc.constantFrom('.containsAll(', '.containsAny('), set, '))'),
      joined('(', set, '.isEmpty())'),
      joined('(', entity, '.hasTag(', string, '))'),
      joined(
        '(',
        tie('ip'),
        fc.constantFrom('.isIpv4()', '.isIpv6()', '.isLoopback()', '.isMulticast()'),
        ')',
      ),
      joined('(', tie('ip'), '.isInRange(', tie('ip'), '))'),
      joined(
        '(',
        tie('decimal'),
        fc.constantFrom('.lessThan(', '.lessThanOrEqual(', '.greaterThan(', '.greaterThanOrEqual('),
        tie('decimal'),
        '))',
      ),
      chosen(bool),
      any,
    ),
    long: fc.oneof(
      depth,
      fc.constantFrom(...longs).map((value) => `(${value})`),
      fromContext('n'),
      joined('(', long, fc.constantFrom(' + ', ' - ', ' * '), long, ')'),
      joined('(-', long, ')'),
      joined(
        '(',
        tie('duration'),
        fc.constantFrom('.toMilliseconds()', '.toSeconds()', '.toMinutes()', '.toHours()', '.toDays()'),
        ')',
      ),
      chosen(long),
      any,
    ),
    string: fc.oneof(depth, text.map(quoted), fromContext('s'), chosen(string), any),
    entity: fc.oneof(depth, variable, uid, action, fromContext('e'), chosen(entity), any),
    set: fc.oneof(
      depth,
      fromContext('set'),
      fc.array(any, { maxLength: 3 }).map((all) => `[${all.join(', ')}]`),
      fc.array(long, { maxLength: 12 }).map((all) => `[${all.join(', ')}]`),
      any,
    ),
    record: fc.oneof(
      depth,
      fromContext('rec'),
      fc
        .uniqueArray(fc.tuple(attribute, any), { maxLength: 3, selector: ([name]) => name })
        .map((all) => `{${all.map(([name, value]) => `${quoted(name)}: ${value}`).join(', ')}}`),
    ),
    ip: fc.oneof(depth, call('ip', ips), fromContext('ip'), joined('ip(', string, ')')),
    decimal: fc.oneof(depth, call('decimal', decimals), fromContext('dec'), any),
    datetime: fc.oneof(
      depth,
      call('datetime', datetimes),
      fromContext('at'),
      joined('(', tie('datetime'), '.offset(', tie('duration'), '))'),
      joined('(', tie('datetime'), '.toDate())'),
      any,
    ),
    duration: fc.oneof(
      depth,
      call('duration', durations),
      fromContext('for').map((one) => one.replace('.for', '["for"]')),
      joined('(', tie('datetime'), '.durationSince(', tie('datetime'), '))'),
      joined('(', tie('datetime'), '.toTime())'),
    ),
  };
});
