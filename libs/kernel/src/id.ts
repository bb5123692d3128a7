/**
 * Ids are `<kind>_<ULID>`: the kind says what the id names, the ULID (26 Crockford base-32 characters, 48 bits of
 * milliseconds, 80 bits of chance) sorts by creation. Clock and chance come from the caller (`libs/service`).
 */
export const idKinds = {
  psn: 'person',
  agt: 'agent',
  bpr: 'blueprint',
  mdt: 'mandate',
  dlg: 'delegation',
  ses: 'session',
  dec: 'decision',
  apr: 'approval',
  lck: 'lock',
  sec: 'secret',
  dbr: 'database role',
  lse: 'lease',
  pol: 'policy set',
  key: 'signing key',
  crt: 'certificate',
  tok: 'token',
} as const;

export type IdKind = keyof typeof idKinds;
export type Id<K extends IdKind = IdKind> = `${K}_${string}`;

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const ulidPattern = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
export const ULID_CHANCE_BYTES = 10;

/** Whether `value` is an id of `kind`: the right prefix and a well-formed ULID, case-sensitive. */
export function isId<K extends IdKind>(kind: K, value: string): value is Id<K> {
  return value.startsWith(`${kind}_`) && ulidPattern.test(value.slice(kind.length + 1));
}

/**
 * An id from the time and chance the caller supplies.
 * @param atMs milliseconds since 1970, 0 to 2^48-1
 * @param chance exactly 10 random bytes
 */
export function formatId<K extends IdKind>(kind: K, atMs: number, chance: Uint8Array): Id<K> {
  if (chance.length !== ULID_CHANCE_BYTES)
    throw new Error(`an id needs ${ULID_CHANCE_BYTES} random bytes, got ${chance.length}`);
  let time = '';
  let rest = atMs;
  for (let place = 0; place < 10; place += 1) {
    time = alphabet.charAt(rest % 32) + time;
    rest = Math.floor(rest / 32);
  }
  let bits = 0;
  let bitCount = 0;
  let random = '';
  for (const byte of chance) {
    bits = (bits << 8) | byte;
    bitCount += 8;
    while (bitCount >= 5) {
      bitCount -= 5;
      random += alphabet.charAt((bits >>> bitCount) & 31);
      bits &= (1 << bitCount) - 1;
    }
  }
  return `${kind}_${time}${random}`;
}

/** The milliseconds since 1970 inside an id. Only for ids that `isId` accepts. */
export function idTimeMs(id: string): number {
  const ulid = id.slice(id.indexOf('_') + 1);
  let ms = 0;
  for (let place = 0; place < 10; place += 1) ms = ms * 32 + alphabet.indexOf(ulid.charAt(place));
  return ms;
}
