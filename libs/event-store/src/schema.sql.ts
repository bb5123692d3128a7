import { appendFunctionSql } from './append.sql.js';
import type { Migration } from './migration.js';
import type { Schemas } from './names.js';

const tablesSql = ({ facts: schema }: Schemas) => `
create table ${schema}.head (k bool primary key default true check (k), pos bigint not null) with (fillfactor = 10);
insert into ${schema}.head (pos) values (0);

create table ${schema}.stream (id text primary key, kind text not null, version int not null) with (fillfactor = 80);

create table ${schema}.event (
  pos bigint primary key,
  id uuid not null unique,
  stream_id text not null,
  version int not null,
  type text not null,
  part_key text not null,
  at timestamptz not null,
  meta jsonb not null,
  data bytea not null,
  unique (stream_id, version)
);

create table ${schema}.command (
  caller text not null,
  key text not null,
  req_hash text not null,
  result jsonb,
  at timestamptz not null,
  primary key (caller, key)
);
create index on ${schema}.command (at);

create table ${schema}.cursor (name text primary key, pos bigint not null, epoch bigint not null);
`;

// Statement triggers fire even where no row matches, ALWAYS also for a session that claims to be a replica.
const appendOnlySql = ({ facts: schema }: Schemas) => `
create function ${schema}.refuse_change() returns trigger language plpgsql as $refuse$
begin
  raise exception 'facts are never changed: % on %.%', tg_op, tg_table_schema, tg_table_name
    using errcode = 'insufficient_privilege';
end
$refuse$;
create trigger append_only before update or delete or truncate on ${schema}.event
  for each statement execute function ${schema}.refuse_change();
alter table ${schema}.event enable always trigger append_only;
`;

// Whoever rebuilds a view holds the head meanwhile, so that no fact escapes it.
const holdHeadSql = ({ facts: schema }: Schemas) => `
create function ${schema}.hold_head() returns bigint
language sql security definer set search_path = pg_catalog, pg_temp as $hold$
  select h.pos from ${schema}.head h for no key update;
$hold$;
`;

// What the service may do: read its facts, append through the function, keep commands and cursors, own its views.
const grantsSql = ({ facts, views }: Schemas, role: string) => `
grant usage on schema ${facts} to ${role};
grant usage, create on schema ${views} to ${role};
grant select on ${facts}.head, ${facts}.stream, ${facts}.event to ${role};
grant select, insert, update, delete on ${facts}.command to ${role};
grant select, insert, update on ${facts}.cursor to ${role};
revoke all on all functions in schema ${facts} from public;
grant execute on all functions in schema ${facts} to ${role};
`;

/** The tables of the store, in the order in which they came. A migration that was released is never edited. */
export const storeMigrations: readonly Migration[] = [
  {
    area: 'event-store',
    number: 1,
    sql: (schemas, role) =>
      [
        tablesSql(schemas),
        appendOnlySql(schemas),
        appendFunctionSql(schemas),
        holdHeadSql(schemas),
        grantsSql(schemas, role),
      ].join('\n'),
  },
];
