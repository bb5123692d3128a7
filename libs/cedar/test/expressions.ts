import fc from 'fast-check';
import {
  actions,
  datetimes,
  decimals,
  durations,
  ids,
  ips,
  longs,
  names,
  quoted,
  texts,
  types,
} from './literals.js';

/** Texts of expressions. Most are well typed; some operands are of any type, so that errors are met too. */

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
type Text = fc.Arbitrary<string>;
type Tie = (kind: Kind) => Text;

function joined(...parts: readonly (Text | string)[]): Text {
  return fc
    .tuple(...parts.map((part) => (typeof part === 'string' ? fc.constant(part) : part)))
    .map((all) => all.join(''));
}

const depth = { depthSize: 'small', maxDepth: 4 } as const;
const variable = fc.constantFrom('principal', 'resource', 'context', 'action');
const someType = fc.constantFrom(...types);

function reached(name: string): Text {
  return fc.constantFrom('context', 'principal', 'resource').map((from) => `${from}[${quoted(name)}]`);
}

function chosen(tie: Tie, kind: Kind): Text {
  return joined('(if ', tie('bool'), ' then ', tie(kind), ' else ', tie(kind), ')');
}

function compared(kind: Text): Text {
  return joined('(', kind, fc.constantFrom(' < ', ' <= ', ' > ', ' >= '), kind, ')');
}

/** Few integers that are often equal: where `<` and `<=` part. */
const few = fc.oneof(fc.constantFrom('0', '1', '2'), reached('n'));

function logic(tie: Tie): Text[] {
  const [bool, any, long] = [tie('bool'), tie('any'), tie('long')];
  return [
    joined('(', bool, ' && ', bool, ')'),
    joined('(', bool, ' || ', bool, ')'),
    joined('(', bool, ' && ', bool, ' && ', bool, ')'),
    joined('(!', bool, ')'),
    joined('(', any, fc.constantFrom(' == ', ' != '), any, ')'),
    joined('(', long, fc.constantFrom(' == ', ' != '), long, ')'),
    compared(few),
    ...[long, tie('datetime'), tie('duration'), any].map(compared),
    chosen(tie, 'bool'),
  ];
}

function entityTests(tie: Tie): Text[] {
  const [entity, set, any] = [tie('entity'), tie('set'), tie('any')];
  return [
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
    joined('(', entity, ' is ', someType, ')'),
    joined('(', entity, ' is ', someType, ' in ', fc.oneof(entity, set), ')'),
    joined('(', fc.oneof(variable, any), ' has ', attribute.map(quoted), ')'),
    joined(
      '(',
      fc.oneof(variable, any),
      ' has ',
      fc.constantFrom('n', 'rec.n', 'rec.rec.n', 'e.n', 'e.e.rec.s'),
      ')',
    ),
    joined('(', entity, '.hasTag(', tie('string'), '))'),
  ];
}

function valueTests(tie: Tie): Text[] {
  const [set, ip, decimal] = [tie('set'), tie('ip'), tie('decimal')];
  return [
    joined('(', tie('string'), ' like ', pattern, ')'),
    joined('(', set, '.contains(', tie('any'), '))'),
    joined('(', set, fc.constantFrom('.containsAll(', '.containsAny('), set, '))'),
    joined('(', set, '.isEmpty())'),
    joined('(', ip, fc.constantFrom('.isIpv4()', '.isIpv6()', '.isLoopback()', '.isMulticast()'), ')'),
    joined('(', ip, '.isInRange(', ip, '))'),
    joined(
      '(',
      decimal,
      fc.constantFrom('.lessThan(', '.lessThanOrEqual(', '.greaterThan(', '.greaterThanOrEqual('),
      decimal,
      '))',
    ),
  ];
}

function longs64(tie: Tie): Text[] {
  const spans = fc.constantFrom(
    '.toMilliseconds()',
    '.toSeconds()',
    '.toMinutes()',
    '.toHours()',
    '.toDays()',
  );
  return [
    fc.constantFrom(...longs).map((value) => `(${value})`),
    reached('n'),
    joined('(', tie('long'), fc.constantFrom(' + ', ' - ', ' * '), tie('long'), ')'),
    joined('(-', tie('long'), ')'),
    joined('(', tie('duration'), spans, ')'),
    chosen(tie, 'long'),
  ];
}

function sets(tie: Tie): Text[] {
  return [
    reached('set'),
    fc.array(tie('any'), { maxLength: 3 }).map((all) => `[${all.join(', ')}]`),
    fc.array(tie('long'), { maxLength: 12 }).map((all) => `[${all.join(', ')}]`),
  ];
}

function record(tie: Tie): Text {
  return fc
    .uniqueArray(fc.tuple(attribute, tie('any')), { maxLength: 3, selector: ([name]) => name })
    .map((all) => `{${all.map(([name, value]) => `${quoted(name)}: ${value}`).join(', ')}}`);
}

function moments(tie: Tie): Text[] {
  return [
    call('datetime', datetimes),
    reached('at'),
    joined('(', tie('datetime'), '.offset(', tie('duration'), '))'),
    joined('(', tie('datetime'), '.toDate())'),
  ];
}

function spans(tie: Tie): Text[] {
  return [
    call('duration', durations),
    reached('for'),
    joined('(', tie('datetime'), '.durationSince(', tie('datetime'), '))'),
    joined('(', tie('datetime'), '.toTime())'),
  ];
}

const kinds = [
  'bool',
  'long',
  'string',
  'entity',
  'set',
  'record',
  'ip',
  'decimal',
  'datetime',
  'duration',
] as const;

export const expressions = fc.letrec<Record<Kind, string>>((tie) => {
  const any = tie('any');
  const attributes = joined(
    '(',
    any,
    ')',
    attribute.map((name) => `[${quoted(name)}]`),
  );
  const tag = joined('(', any, ').getTag(', tie('string'), ')');
  return {
    any: fc.oneof(depth, variable, ...kinds.map((kind) => tie(kind)), attributes, tag),
    bool: fc.oneof(
      depth,
      fc.constantFrom('true', 'false'),
      reached('yes'),
      ...logic(tie),
      ...entityTests(tie),
      ...valueTests(tie),
      any,
    ),
    long: fc.oneof(depth, ...longs64(tie), any),
    string: fc.oneof(depth, text.map(quoted), reached('s'), chosen(tie, 'string'), any),
    entity: fc.oneof(depth, variable, uid, action, reached('e'), chosen(tie, 'entity'), any),
    set: fc.oneof(depth, ...sets(tie), any),
    record: fc.oneof(depth, reached('rec'), record(tie)),
    ip: fc.oneof(depth, call('ip', ips), reached('ip'), joined('ip(', tie('string'), ')')),
    decimal: fc.oneof(depth, call('decimal', decimals), reached('dec'), any),
    datetime: fc.oneof(depth, ...moments(tie), any),
    duration: fc.oneof(depth, ...spans(tie)),
  };
});
