import { Database } from '@writ/event-store';

/**
 * The log of the PostgreSQL carrier. `head` is a counter row for each partition, so that offsets are gapless
 * and a reader never steps over a late commit; `log` is append-only for the services' roles.
 */
const tables = `
create schema if not exists bus;
create table if not exists bus.identity (
  k bool primary key default true check (k),
  id uuid not null default gen_random_uuid());
insert into bus.identity default values on conflict do nothing;
create table if not exists bus.topic (
  topic text primary key,
  partitions int not null check (partitions > 0));
create table if not exists bus.head (
  topic text not null references bus.topic,
  part int not null,
  off bigint not null default 0,
  primary key (topic, part)) with (fillfactor = 10);
create table if not exists bus.log (
  topic text not null,
  part int not null,
  off bigint not null,
  key text not null,
  headers json not null,
  value bytea not null,
  bytes int not null,
  primary key (topic, part, off));
create table if not exists bus.grp (
  grp text not null,
  topic text not null,
  part int not null,
  off bigint not null,
  primary key (grp, topic, part)) with (fillfactor = 50);
create or replace function bus.publish(p_topic text, p_part int, p_keys text[], p_headers text[], p_values bytea[])
returns bigint language plpgsql as $$
declare
  v_count int := cardinality(p_keys);
  v_base bigint;
begin
  update bus.head set off = off + v_count where topic = p_topic and part = p_part returning off - v_count into v_base;
  if v_base is null then
    raise exception 'no partition % of topic %', p_part, p_topic;
  end if;
  insert into bus.log (topic, part, off, key, headers, value, bytes)
  select p_topic, p_part, v_base + i - 1, k, h::json, v, octet_length(k) + octet_length(h) + octet_length(v)
    from unnest(p_keys, p_headers, p_values) with ordinality as u(k, h, v, i);
  return v_base;
end $$;
revoke all on function bus.publish(text, int, text[], text[], bytea[]) from public;
`;

function grants(role: string): string {
  return `
grant usage on schema bus to ${role};
grant select on bus.identity to ${role};
grant select, insert on bus.topic, bus.log to ${role};
grant select, insert, update on bus.head, bus.grp to ${role};
grant execute on function bus.publish(text, int, text[], text[], bytea[]) to ${role};
`;
}

/**
 * Makes the schema `bus`, or leaves it as it is, and lets `runtimeRole` publish and consume. Idempotent; call
 * it once for each service's role. Concurrent calls wait for each other.
 * @param ownerUrl a connection URL of the role that owns the schema
 */
export async function migrateBus(options: { ownerUrl: string; runtimeRole: string }): Promise<void> {
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(options.runtimeRole))
    throw new Error(`role \`${options.runtimeRole}\` must be a plain PostgreSQL identifier`);
  const database = new Database({
    url: options.ownerUrl,
    applicationName: 'writ-migrate-bus',
    connectionsMax: 1,
  });
  try {
    await database.transaction(async (tx) => {
      await tx.query("select pg_advisory_xact_lock(hashtextextended('writ-bus/migrate', 0))");
      await tx.query(tables);
      await tx.query(grants(`"${options.runtimeRole}"`));
    });
  } catch (error) {
    throw new Error('migrating schema `bus` failed', { cause: error });
  } finally {
    await database.close();
  }
}
