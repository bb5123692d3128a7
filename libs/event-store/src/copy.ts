import pg from 'pg';

const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
/** No flags, no header extension. */
const HEADER = Buffer.concat([SIGNATURE, Buffer.alloc(8)]);
const TRAILER = Buffer.from([0xff, 0xff]);
const COPY_DONE = Buffer.from(['c'.charCodeAt(0), 0, 0, 0, 4]);

type Done = (error: Error | undefined, result: { readonly rowCount: number | null }) => void;

/**
 * `COPY … FROM STDIN (FORMAT binary)` that sends its rows right behind the statement, without waiting for the server to
 * ask: nothing of another statement can come between, and a server whose COPY has failed drops them (PostgreSQL manual,
 * "Message Flow", COPY Operations).
 */
export class CopyIn extends pg.Query {
  // Private to the language: `pg.Query` has a `rows` of its own, which asks for something else.
  readonly #sql: string;
  readonly #rows: readonly Uint8Array[];

  constructor(sql: string, rows: readonly Uint8Array[], done: Done) {
    super(sql, done);
    this.#sql = sql;
    this.#rows = rows;
  }

  override submit = (connection: pg.Connection): void => {
    // As with every statement of `pg`: it fails when the connection is found closed.
    if (!connection.stream.writable) return;
    const data = Buffer.concat([HEADER, ...this.#rows, TRAILER]);
    const head = Buffer.alloc(5);
    head.write('d', 'latin1');
    head.writeUInt32BE(data.length + 4, 1);
    connection.query(this.#sql);
    connection.stream.cork();
    for (const part of [head, data, COPY_DONE]) connection.stream.write(part);
    connection.stream.uncork();
  };

  /** The server asks for what is on its way already. */
  handleCopyInResponse(): void {}
}

const TEXT_OID = 25;
const UTF16_UNIT_BYTES_MAX = 3;
const TWO_TO_32 = 2 ** 32;
/** 2000-01-01, from which PostgreSQL counts. */
const POSTGRES_EPOCH_MS = 946_684_800_000;

/** Writes rows for `Tx.copy`, one after the other, column by column. */
export class CopyRowWriter {
  private buffer = Buffer.allocUnsafe(16 * 1024);
  private end = 0;

  begin(columns: number): this {
    this.end = 0;
    this.reserve(2);
    this.end = this.buffer.writeUInt16BE(columns, 0);
    return this;
  }

  /** The row, in memory of its own. */
  row(): Buffer {
    return Buffer.from(this.buffer.subarray(0, this.end));
  }

  /** @param value a safe integer */
  int8(value: number): this {
    this.int4(8);
    const high = Math.floor(value / TWO_TO_32);
    this.int4(high);
    this.end = this.buffer.writeUInt32BE(value - high * TWO_TO_32, this.end);
    return this;
  }

  /** @param ms whole milliseconds since 1970 */
  timestamptz(ms: number): this {
    const micros = (ms - POSTGRES_EPOCH_MS) * 1_000;
    if (Number.isSafeInteger(micros)) return this.int8(micros);
    this.int4(8);
    this.end = this.buffer.writeBigInt64BE(BigInt(ms - POSTGRES_EPOCH_MS) * 1_000n, this.end);
    return this;
  }

  bytea(value: Uint8Array): this {
    this.reserve(4 + value.length);
    this.int4(value.length);
    this.buffer.set(value, this.end);
    this.end += value.length;
    return this;
  }

  /** @param value well-formed and without U+0000, which no text of PostgreSQL can hold */
  text(value: string): this {
    this.reserve(4 + UTF16_UNIT_BYTES_MAX * value.length);
    const written = this.buffer.write(value, this.end + 4, 'utf8');
    this.int4(written);
    this.end += written;
    return this;
  }

  textArray(values: readonly string[]): this {
    this.reserve(24);
    const start = this.end;
    this.end += 4;
    this.int4(values.length === 0 ? 0 : 1);
    this.int4(0);
    this.int4(TEXT_OID);
    if (values.length > 0) {
      this.int4(values.length);
      this.int4(1);
      for (const value of values) this.text(value);
    }
    this.buffer.writeUInt32BE(this.end - start - 4, start);
    return this;
  }

  private int4(value: number): void {
    this.reserve(16);
    this.end = this.buffer.writeInt32BE(value, this.end);
  }

  private reserve(bytes: number): void {
    if (this.end + bytes <= this.buffer.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.end + bytes, 2 * this.buffer.length));
    grown.set(this.buffer.subarray(0, this.end));
    this.buffer = grown;
  }
}
