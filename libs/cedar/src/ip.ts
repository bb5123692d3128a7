import { EvaluationError } from './evaluation-error.js';
import { ExtensionValue } from './extension-value.js';

/** `/128` behind eight groups of four. */
const TEXT_LENGTH_MAX = 43;

interface Family {
  readonly bits: number;
  readonly prefixDigitsMax: number;
}
const v4: Family = { bits: 32, prefixDigitsMax: 2 };
const v6: Family = { bits: 128, prefixDigitsMax: 3 };

/** An address, or a range of them by the length of its prefix. */
export class IpAddress extends ExtensionValue {
  override readonly kind = 'ipaddr';
  /** The first and the last address of the range. */
  readonly #first: bigint;
  readonly #last: bigint;

  constructor(
    private readonly family: Family,
    private readonly address: bigint,
    private readonly prefix: number,
  ) {
    super();
    const hosts = (1n << BigInt(family.bits - prefix)) - 1n;
    this.#last = address | hosts;
    this.#first = this.#last - hosts;
  }

  override get key(): string {
    return `${this.family.bits}/${this.address}/${this.prefix}`;
  }

  isIpv4(): boolean {
    return this.family === v4;
  }

  isIpv6(): boolean {
    return this.family === v6;
  }

  isLoopback(): boolean {
    if (this.family === v6) return this.address === 1n && this.prefix === 128;
    return this.address >> 24n === 127n && this.prefix >= 8;
  }

  isMulticast(): boolean {
    if (this.family === v6) return this.address >> 120n === 0xffn && this.prefix >= 8;
    return this.address >> 28n === 0xen && this.prefix >= 4;
  }

  isInRange(range: IpAddress): boolean {
    return this.family === range.family && range.#first <= this.#first && this.#last <= range.#last;
  }
}

/** IPv4 or IPv6 with an optional `/prefix`; no IPv4 inside IPv6. @throws EvaluationError */
export function parseIp(text: string): IpAddress {
  if (text.length > TEXT_LENGTH_MAX || Buffer.byteLength(text) > TEXT_LENGTH_MAX)
    throw refused(`error parsing IP address from string \`${text}\`: string length is too large`);
  if (text.split(':').length > 2 && text.split('.').length > 2)
    throw refused(
      `error parsing IP address from string: We do not accept IPv4 embedded in IPv6 (e.g., ::ffff:127.0.0.1). Found: \`${text}\``,
    );
  const slash = text.indexOf('/');
  if (slash === -1) {
    const [family, address] = parseAddress(text) ?? [];
    if (family === undefined || address === undefined) throw refused(`invalid IP address: ${text}`);
    return new IpAddress(family, address, family.bits);
  }
  const [family, address] = parseAddress(text.slice(0, slash)) ?? [];
  if (family === undefined || address === undefined)
    throw refused(
      `error parsing IP address from the string \`${text.slice(0, slash)}\`: invalid IP address syntax`,
    );
  return new IpAddress(family, address, parsePrefix(text.slice(slash + 1), family));
}

function parsePrefix(text: string, { bits, prefixDigitsMax }: Family): number {
  if (text.length > prefixDigitsMax)
    throw refused(`error parsing prefix: string length ${text.length} is too large`);
  if (!/^\d*$/.test(text)) throw refused(`error parsing prefix \`${text}\`: encountered non-digit`);
  if (text === '')
    throw refused('error parsing prefix from the string ``: cannot parse integer from empty string');
  if (text.startsWith('0') && text !== '0')
    throw refused(`error parsing prefix \`${text}\`: leading zero(s)`);
  if (Number(text) > bits) throw refused(`error parsing prefix: ${text} is larger than the limit ${bits}`);
  return Number(text);
}

function parseAddress(text: string): [Family, bigint] | undefined {
  if (text.includes(':')) {
    const address = parseV6(text);
    return address === undefined ? undefined : [v6, address];
  }
  const octets = text.split('.');
  if (octets.length !== 4 || !octets.every((octet) => /^(?:0|[1-9]\d{0,2})$/.test(octet))) return undefined;
  if (octets.some((octet) => Number(octet) > 255)) return undefined;
  return [v4, octets.reduce((sum, octet) => sum * 256n + BigInt(octet), 0n)];
}

function parseV6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const groups = [...(head ?? []), ...(tail ?? [])];
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  if (tail === undefined ? groups.length !== 8 : groups.length > 7) return undefined;
  const zeros = Array.from({ length: 8 - groups.length }, () => '0');
  const all = [...(head ?? []), ...zeros, ...(tail ?? [])];
  return all.reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n);
}

function refused(message: string): EvaluationError {
  return new EvaluationError(`error while evaluating \`ipaddr\` extension function: ${message}`);
}
