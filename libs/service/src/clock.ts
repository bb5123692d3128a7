import { hash, randomBytes } from 'node:crypto';
import { formatId, type Id, type IdKind, ULID_CHANCE_BYTES } from '@writ/kernel';

/**
 * Time and chance, the only door to either. Everything else receives `at` and ids as arguments, so that a test can
 * fix them and a replay gives the same answer.
 */
export abstract class Clock {
  /** Wall-clock time; may jump. For what is recorded and compared with other machines. */
  abstract now(): Date;
  /** Milliseconds since an arbitrary start; never goes back. For measuring silence and duration. */
  abstract monotonicMs(): number;
  abstract randomBytes(count: number): Uint8Array;

  newId<K extends IdKind>(kind: K): Id<K> {
    return formatId(kind, this.now().getTime(), this.randomBytes(ULID_CHANCE_BYTES));
  }

  /** UUID version 7 (RFC 9562 section 5.7): 48 bits of milliseconds, 74 bits of chance. */
  newEventId(): string {
    const time = this.now().getTime().toString(16).padStart(12, '0');
    const chance = this.randomHex(10);
    const variant = ((Number.parseInt(chance.charAt(3), 16) & 0x3) | 0x8).toString(16);
    return `${time.slice(0, 8)}-${time.slice(8)}-7${chance.slice(0, 3)}-${variant}${chance.slice(4, 7)}-${chance.slice(7, 19)}`;
  }

  /** `byteCount` random bytes in lower-case hexadecimal: W3C trace ids (16) and span ids (8). */
  randomHex(byteCount: number): string {
    return Buffer.from(this.randomBytes(byteCount)).toString('hex');
  }
}

const POOL_BYTES = 4096;

/** The machine's clock and the kernel's random source, asked for a few kilobytes at a time: ids are many and small. */
export class SystemClock extends Clock {
  #pool = Buffer.alloc(0);
  #used = 0;

  override now(): Date {
    return new Date();
  }

  override monotonicMs(): number {
    return performance.now();
  }

  override randomBytes(count: number): Uint8Array {
    if (count > POOL_BYTES) return randomBytes(count);
    return this.#take(count, (start, end) => Uint8Array.prototype.slice.call(this.#pool, start, end));
  }

  override randomHex(byteCount: number): string {
    if (byteCount > POOL_BYTES) return super.randomHex(byteCount);
    return this.#take(byteCount, (start, end) => this.#pool.toString('hex', start, end));
  }

  #take<T>(count: number, read: (start: number, end: number) => T): T {
    if (this.#used + count > this.#pool.length) {
      this.#pool = randomBytes(POOL_BYTES);
      this.#used = 0;
    }
    const given = read(this.#used, this.#used + count);
    // What was handed out once is never found here again.
    this.#pool.fill(0, this.#used, this.#used + count);
    this.#used += count;
    return given;
  }
}

/**
 * Milliseconds since 1970 by the machine, whatever clock a test has put in its place: what grpc-js compares deadlines
 * with.
 */
export function machineMs(): number {
  return Date.now();
}

/** SHA-256 of UTF-8 text or of bytes. */
export function sha256(content: string | Uint8Array): Uint8Array {
  return hash('sha256', content, 'buffer');
}

/** base64url SHA-256 without padding: thumbprints (RFC 8705) and request hashes. */
export function sha256Base64Url(content: string | Uint8Array): string {
  return hash('sha256', content, 'base64url');
}
