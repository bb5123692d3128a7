import { createHmac, timingSafeEqual } from 'node:crypto';
import { canonicalJson, type Json, Refusal } from '@writ/kernel';
import { sha256Base64Url } from './clock.js';

/** What a list call needs to read one page: how many rows, after which row, and how to name the next page. */
export interface Page {
  /** Rows to return. Read one more to know whether another page follows. */
  readonly size: number;
  /** The sort key of the last row already given; undefined on the first page. */
  readonly after: string | undefined;
  /** The token of the page after the row with sort key `last`. */
  next(last: string): string;
  /** Splits `size + 1` rows into a page and its token, empty at the end (AIP-158). */
  cut<Row>(
    rows: readonly Row[],
    sortKey: (row: Row) => string,
  ): { rows: readonly Row[]; nextPageToken: string };
}

const defaultSize = 50;
const maxSize = 200;
const tokenMax = 2000;

/**
 * Page tokens (AIP-158): opaque to callers, tied to call, filter and caller, and authenticated, so that nobody reads on
 * with another filter or makes up a token. Replicas of a service share the key, so that any of them continues a list.
 */
export class Pages {
  readonly #key: Uint8Array;

  /** @param key at least 32 bytes that only this service knows */
  constructor(key: Uint8Array) {
    if (key.length < 32) throw new RangeError('the key of page tokens must have at least 32 bytes');
    this.#key = key;
  }

  /**
   * @param scope everything that shapes the list besides page size and token: the call's name, its filter, its caller
   * @param pageSize 0 means 50; more than 200 means 200; below 0 is refused
   * @throws Refusal INVALID_ARGUMENT
   */
  open(request: { pageSize: number; pageToken: string }, scope: Json): Page {
    if (!Number.isInteger(request.pageSize) || request.pageSize < 0)
      throw invalid('page_size', 'must be a whole number, 0 for the default');
    const scopeHash = sha256Base64Url(canonicalJson(scope));
    const size = request.pageSize === 0 ? defaultSize : Math.min(request.pageSize, maxSize);
    const after = request.pageToken === '' ? undefined : this.#read(request.pageToken, scopeHash);
    const next = (last: string) => this.#write(last, scopeHash);
    return {
      size,
      after,
      next,
      cut(rows, sortKey) {
        const shown = rows.slice(0, size);
        const last = shown.at(-1);
        return {
          rows: shown,
          nextPageToken: rows.length > size && last !== undefined ? next(sortKey(last)) : '',
        };
      },
    };
  }

  #write(after: string, scopeHash: string): string {
    const mac = this.#mac(after, scopeHash);
    return Buffer.concat([mac, Buffer.from(after, 'utf8')]).toString('base64url');
  }

  #read(token: string, scopeHash: string): string {
    const bytes = Buffer.from(token.slice(0, tokenMax), 'base64url');
    const after = bytes.subarray(32).toString('utf8');
    const mac = bytes.subarray(0, 32);
    if (
      bytes.toString('base64url') !== token ||
      mac.length !== 32 ||
      !timingSafeEqual(mac, this.#mac(after, scopeHash))
    )
      throw invalid('page_token', 'must be the `next_page_token` of the same list; start again without it');
    return after;
  }

  #mac(after: string, scopeHash: string): Buffer {
    return createHmac('sha256', this.#key).update(scopeHash).update('\n').update(after).digest();
  }
}

function invalid(field: string, description: string): Refusal {
  return new Refusal('INVALID_ARGUMENT', 'invalid', `\`${field}\` ${description}`, [{ field, description }]);
}
