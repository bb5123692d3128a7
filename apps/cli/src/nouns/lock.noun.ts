import {
  GetLockRequest,
  LiftLockRequest,
  Lock,
  LockServiceService,
  PlaceLockRequest,
  PlaceLockResponse,
} from '@writ/contracts/writ/session/v1/lock.js';
import { usage } from '../cli-failure.js';
import { type JsonObject, textAt } from '../json.js';
import { listLocks } from '../lock-rpc.js';
import { etag, flag, idArgument } from '../rows.js';
import { unary } from '../rpc.js';
import { column, listOf, partOf, shape, wide } from '../shape.js';
import type { CallVerb, Noun } from '../verb.js';

const { placeLock, liftLock, getLock } = LockServiceService;

const lock = shape([
  column('id', 'lockId'),
  column('state', 'state'),
  column('on', 'targetKind'),
  column('target', 'targetId'),
  column('reason', 'reason'),
  column('placed', 'placeTime'),
  column('expires', 'expireTime'),
  wide('seq', 'seq'),
  wide('etag', 'etag'),
]);
const id = idArgument('lock');

const kinds: Readonly<Record<string, string>> = {
  ses: 'SESSION',
  agt: 'AGENT',
  bpr: 'BLUEPRINT',
  psn: 'PERSON',
};

/** Also `writ kill`. */
export const lockVerb: CallVerb = {
  name: 'create',
  doc: 'stop a session, an agent, a family, a person, a team, a tool, or everything, at once',
  args: [
    {
      name: 'TARGET',
      doc: 'an id of a session, agent, blueprint or person; `owner:TEAM`, `tool:NAME` or `everything`',
      read: targetOf,
    },
  ],
  rpc: unary('session-broker', placeLock, PlaceLockRequest, PlaceLockResponse),
  shape: partOf('lock', lock),
  options: [
    flag('reason', 'why, for whoever reads the ledger', { required: true }),
    flag('expires', 'when it ends by itself; else when it is lifted', { field: 'expire_time' }),
  ],
  confirm: { kind: 'typed', field: 'target_id', question: 'this stops it everywhere' },
  hint: (answer) =>
    `${textAt(answer, 'pointsConfirmed') || '0'} of ${textAt(answer, 'pointsWatching') || '0'} watching points confirmed within 50 ms`,
};

export const lockNoun: Noun = {
  name: 'lock',
  doc: 'stop orders, with reason and expiry',
  verbs: [
    lockVerb,
    {
      name: 'list',
      doc: 'list locks',
      rpc: listLocks,
      shape: listOf('locks', lock),
      pages: 'locks',
      options: [flag('state', 'only those in this state')],
    },
    {
      name: 'get',
      doc: 'show one lock',
      args: [id],
      rpc: unary('session-broker', getLock, GetLockRequest, Lock),
      shape: lock,
    },
    {
      name: 'lift',
      doc: 'end a lock',
      args: [id],
      options: [flag('reason', 'why, for whoever reads the ledger', { required: true }), etag],
      rpc: unary('session-broker', liftLock, LiftLockRequest, Lock),
      shape: lock,
    },
  ],
};

/** The target as the contract names it: its kind, and which one. */
export function targetOf(text: string): JsonObject {
  if (text === 'everything') return target('EVERYTHING', '');
  const [, kind, name] = /^(owner|tool):(.+)$/s.exec(text) ?? [];
  if (kind !== undefined && name !== undefined) return target(kind.toUpperCase(), name);
  const targetId = text.slice(text.lastIndexOf('/') + 1);
  const known = kinds[targetId.split('_')[0] ?? ''];
  if (known === undefined || !targetId.includes('_'))
    throw usage(
      `\`${text}\` is nothing that can be locked`,
      'an id such as agt_…, `owner:TEAM`, `tool:NAME`, or `everything`',
    );
  return target(known, targetId);
}

function target(kind: string, targetId: string): JsonObject {
  return { targetKind: `LOCK_TARGET_KIND_${kind}`, targetId };
}
