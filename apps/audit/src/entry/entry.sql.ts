import type { Migration } from '@writ/event-store';

/**
 * `state` has one row: who moves it from the size it read appends, everybody else is refused, so the ledger
 * is one line whoever writes. `source` holds which positions of each source are entered, in the transaction
 * that enters them.
 */
const tablesSql = `
create schema ledger;

create table ledger.entry (
  idx bigint primary key check (idx >= 0),
  leaf bytea not null check (octet_length(leaf) = 32),
  chain bytea not null check (octet_length(chain) = 32),
  source text not null,
  pos bigint not null check (pos >= 0),
  event_id text not null,
  type text not null,
  at timestamptz not null,
  actor text not null,
  cause text not null,
  stream_id text not null,
  traceparent text not null,
  record bytea not null,
  payload bytea,
  salt bytea,
  subject_ids text[] not null,
  task text not null
);
create unique index entry_position on ledger.entry (source, pos) where pos > 0;
create index entry_at on ledger.entry using brin (at);

create table ledger.state (
  k bool primary key default true check (k),
  ledger_id text not null default gen_random_uuid()::text,
  size bigint not null default 0,
  chain bytea not null default decode(repeat('00', 32), 'hex'),
  epoch bigint not null default 0
) with (fillfactor = 10);
insert into ledger.state default values;

create table ledger.source (source text primary key, got int8multirange not null) with (fillfactor = 50);

create table ledger.siem_cursor (
  sink text primary key,
  next_idx bigint not null default 0,
  fingerprint text not null default '',
  holder text not null default '',
  held_until timestamptz not null default now()
) with (fillfactor = 50);
`;

// What an entry can be found by, in one index. Long values are cut: an index entry has its limits, the column
// is compared too.
const termsSql = `
create function ledger.terms(subject_ids text[], type text, actor text, task text) returns text[]
language sql immutable strict parallel safe as $terms$
  select subject_ids || array['type:' || type, 'actor:' || left(actor, 200), 'task:' || left(task, 200)];
$terms$;
create index entry_terms on ledger.entry using gin (ledger.terms(subject_ids, type, actor, task));
`;

// Statement triggers fire even where no row matches, ALWAYS also for a session that claims to be a replica.
const appendOnlySql = `
create function ledger.refuse_change() returns trigger language plpgsql as $refuse$
begin
  raise exception 'entries are never changed: % on ledger.entry', tg_op using errcode = 'insufficient_privilege';
end
$refuse$;
create trigger append_only before update or delete or truncate on ledger.entry
  for each statement execute function ledger.refuse_change();
alter table ledger.entry enable always trigger append_only;

create function ledger.refuse_rollback() returns trigger language plpgsql as $refuse$
begin
  if new.size < old.size or new.epoch <> old.epoch + 1 or new.ledger_id <> old.ledger_id then
    raise exception 'the ledger only grows' using errcode = 'insufficient_privilege';
  end if;
  return new;
end
$refuse$;
create trigger only_grows before update on ledger.state for each row execute function ledger.refuse_rollback();
alter table ledger.state enable always trigger only_grows;
`;

const grantsSql = (role: string) => `
revoke all on all functions in schema ledger from public;
grant usage on schema ledger to ${role};
grant select, insert on ledger.entry to ${role};
grant select, update (size, chain, epoch) on ledger.state to ${role};
grant select, insert, update on ledger.source, ledger.siem_cursor to ${role};
grant execute on function ledger.terms(text[], text, text, text) to ${role};
`;

/**
 * The positions of a source are `got + recent`, as those of a group of consumers are: while partitions interleave, the set
 * falls into tens of thousands of ranges, which is too much to write with each batch and too much to compress.
 */
const recentPositionsSql = `
alter table ledger.source add column recent int8multirange not null default '{}';
alter table ledger.source alter column got set default '{}',
  alter column got set storage external, alter column recent set storage external;
`;

// The same terms. A function that says of itself that it is strict is called for each row: `||` is not, so that PostgreSQL
// cannot put the expression in its place. The index does not change; `alter index` makes open sessions look at it again.
const plainTermsSql = `
create or replace function ledger.terms(subject_ids text[], type text, actor text, task text) returns text[]
language sql immutable parallel safe as $terms$
  select subject_ids || array['type:' || type, 'actor:' || left(actor, 200), 'task:' || left(task, 200)];
$terms$;
alter index ledger.entry_terms set (fastupdate = on);
`;

/** The tables of the ledger, owned by the migration role. A migration that was released is never edited. */
export const ledgerMigrations: readonly Migration[] = [
  {
    area: 'ledger',
    number: 1,
    sql: (_schemas, role) => [tablesSql, termsSql, appendOnlySql, grantsSql(role)].join('\n'),
  },
  { area: 'ledger', number: 2, sql: () => [recentPositionsSql, plainTermsSql].join('\n') },
];
