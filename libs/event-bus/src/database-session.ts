import type { Database } from '@writ/event-store';

/**
 * A session that does not speak for this long is cut off by the server, so that a frozen process loses its
 * locks.
 */
const IDLE_SECONDS_MAX = 15;
const PING_MS = 3_000;

const connect = (database: Database) => database.pool.connect();
type Client = Awaited<ReturnType<typeof connect>>;

/** A connection of its own, for what lives as long as a session: advisory locks and LISTEN. */
export class DatabaseSession {
  private lostBy: Error | undefined;
  private readonly ping: NodeJS.Timeout;

  private constructor(private readonly client: Client) {
    this.ping = setInterval(() => {
      client.query('select').catch((error: Error) => {
        this.lostBy ??= error;
      });
    }, PING_MS).unref();
    client.on('error', (error: Error) => {
      this.lostBy ??= error;
    });
    client.on('end', () => {
      this.lostBy ??= new Error('the server closed the session');
    });
  }

  static async open(database: Database): Promise<DatabaseSession> {
    const session = new DatabaseSession(await connect(database));
    try {
      await session.query(`set idle_session_timeout = '${IDLE_SECONDS_MAX}s'`);
    } catch (error) {
      session.close();
      throw error;
    }
    return session;
  }

  /** @param name prepares the statement for this session; one name, one text */
  async query<R extends object>(sql: string, params: readonly unknown[] = [], name?: string): Promise<R[]> {
    if (this.lostBy) throw new Error('the database session is lost', { cause: this.lostBy });
    return (await this.client.query<R>({ text: sql, values: [...params], name })).rows;
  }

  /** A lock that is held until `close`, or until the session is lost. False when another session holds it. */
  async tryLock(name: string): Promise<boolean> {
    const [row] = await this.query<{ held: boolean }>(
      'select pg_try_advisory_lock(hashtextextended($1, 0)) as held',
      [name],
    );
    return row?.held === true;
  }

  async listen(channel: string, heard: (payload: string) => void): Promise<void> {
    this.client.on('notification', (notification) => {
      if (notification.channel === channel) heard(notification.payload ?? '');
    });
    await this.query(`listen ${channel}`);
  }

  /** Ends the connection, and with it every lock. */
  close(): void {
    clearInterval(this.ping);
    this.client.release(true);
  }
}
