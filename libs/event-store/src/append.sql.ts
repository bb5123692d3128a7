import type { Schemas } from './names.js';

/**
 * Appends the facts of many streams in one call. The row of `head` stays locked until the transaction ends, so appends
 * of one service happen one after the other and positions are gapless and in the order of commits, even after a
 * rollback. A sequence would number facts before they are visible, and a reader would step over a late one. `head` is
 * locked before any stream, so two appends never wait for each other in a circle.
 *
 * `appends` are arrays with an element per append: `expecteds` is a version, -1 for "exists", -2 for "any"; `befores` counts the facts
 * of its stream in earlier appends of this call; `totals` all of this call for its stream, and 0 where an earlier append has
 * said it. Arrays with an element per fact: `of` is its append (from 1), `nths` its number within its stream in this call
 * (from 1), `starts` (from 1) and `sizes` say where its data is in `bytes`.
 *
 * Answers the last position and each append's stream's version before the call. When a stream is not as expected it
 * writes nothing and answers which append: a value, not an error, so that the transaction lives on.
 *
 * The planner cannot know how long an array will be nor how many streams there are by now. So: subqueries that use the
 * index instead of joins, which it did by scanning all streams, and one plan for all calls, because making one took as long
 * as running it.
 */
export const appendFunctionSql = ({ facts: schema }: Schemas): string => `
create function ${schema}.append(
  streams text[], kinds text[], expecteds int[], befores int[], totals int[],
  of int[], nths int[], fact_streams text[], part_keys text[], ats timestamptz[], ids uuid[], types text[],
  starts int[], sizes int[], metas jsonb, bytes bytea,
  out last_pos bigint, out versions int[], out conflict_append int
) language plpgsql security definer
  set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan set enable_seqscan = off as $append$
declare
  total int := cardinality(ids);
begin
  update ${schema}.head h set pos = h.pos + total returning h.pos into strict last_pos;

  select array_agg(f.version order by f.ord),
    min(f.ord) filter (where not case f.expected when -2 then true
      when -1 then f.version + f.before > 0 else f.version + f.before = f.expected end)
  into versions, conflict_append
  from (
    select w.ord, w.expected, w.before, coalesce((select s.version from ${schema}.stream s where s.id = w.stream), 0) as version
    from unnest(streams, expecteds, befores) with ordinality w(stream, expected, before, ord)
  ) f;
  if conflict_append is not null then
    update ${schema}.head h set pos = h.pos - total;
    return;
  end if;

  insert into ${schema}.stream as s (id, kind, version)
  select w.stream, w.kind, w.total from unnest(streams, kinds, totals) w(stream, kind, total) where w.total > 0
  on conflict (id) do update set version = s.version + excluded.version;

  insert into ${schema}.event (pos, id, stream_id, version, type, part_key, at, meta, data)
  select last_pos - total + f.ord, f.id, f.stream, versions[f.of] + f.nth, f.type, f.part_key, f.at, f.meta,
    substr(bytes, f.start, f.size)
  from rows from (
    unnest(of, nths, fact_streams, part_keys, ats, ids, types, starts, sizes), jsonb_array_elements(metas)
  ) with ordinality f(of, nth, stream, part_key, at, id, type, start, size, meta, ord);
end
$append$;
`;
