import { listAt, textAt } from '../json.js';
import { ledgerEntries, ledgerEntry, ledgerHead, ledgerSources, ledgerVerification } from '../ledger-rpc.js';
import { flag } from '../rows.js';
import { column, listOf, shape, wide } from '../shape.js';
import type { Noun } from '../verb.js';
import { verificationCode, verifyLedger } from '../verify-ledger.js';

const head = shape(
  [column('entries', (row) => textAt(row, 'size') || '0'), column('chain', 'chain')],
  (row) => textAt(row, 'chain'),
);
const entry = shape(
  [
    column('index', (row) => textAt(row, 'index') || '0'),
    column('at', 'at'),
    column('type', (row) => textAt(row, 'type').replace(/^writ\.[a-z]+\.v1\./, '')),
    column('by', 'actor'),
    column('stream', 'streamId'),
    wide('source', 'source'),
    wide('pos', 'pos'),
    wide('cause', 'cause'),
    wide('leaf', 'leaf'),
    wide('chain', 'chain'),
    wide('trace', 'traceparent'),
  ],
  (row) => `entries/${textAt(row, 'index') || '0'}`,
);
const source = shape(
  [
    column('source', 'source'),
    column('received', (row) => textAt(row, 'received') || '0'),
    column('highest', (row) => textAt(row, 'highestPos') || '0'),
    column('missing', 'missing'),
  ],
  (row) => textAt(row, 'source'),
);
const verification = shape(
  [
    column('result', (row) => (listAt(row, 'faults').length > 0 ? 'failed' : 'ok')),
    column('checked', (row) => textAt(row, 'entriesChecked') || '0'),
    column('chain', 'chain'),
    column('faults', (row) => listAt(row, 'faults').map(faultText).join('; ') || '-'),
  ],
  (row) => textAt(row, 'chain'),
);

export const ledgerNoun: Noun = {
  name: 'ledger',
  doc: 'every fact of every service, once, in one hash chain',
  verbs: [
    {
      name: 'head',
      doc: 'how many entries there are, and the newest chain value',
      rpc: ledgerHead,
      shape: head,
    },
    {
      name: 'get',
      doc: 'show one entry; what the fact says with -o yaml',
      args: [{ name: 'INDEX', field: 'index', doc: 'its index; or --position', optional: true }],
      options: [flag('position', 'the fact at this position of a service')],
      rpc: ledgerEntry,
      shape: entry,
    },
    {
      name: 'list',
      doc: 'list entries',
      rpc: ledgerEntries,
      shape: listOf('entries', entry),
      pages: 'entries',
      options: [
        flag('subject', 'only facts that name this id', { field: 'subject_id' }),
        flag('task', 'only facts of this task'),
        flag('type', 'only facts of this type, such as `writ.registry.v1.AgentSuspended`'),
        flag('source', 'only facts of this service'),
        flag('actor', 'only what this person, agent or service did'),
        flag('since', 'only from then on', { field: 'start_time', past: true }),
        flag('until', 'only before', { field: 'end_time', past: true }),
      ],
    },
    {
      name: 'verify',
      doc: 'recompute everything and name each fault; exit code 9 when there is one',
      options: [flag('from-index', 'begin at this entry; else at the first')],
      rpc: ledgerVerification,
      shape: verification,
      send: verifyLedger,
      verdict: verificationCode,
    },
    {
      name: 'sources',
      doc: "whether each service's facts are all here",
      rpc: ledgerSources,
      shape: listOf('sources', source),
    },
  ],
};

/** `entry 17: chain: …`; a fault without an entry has index -1. */
function faultText(fault: Parameters<typeof textAt>[0]): string {
  const index = textAt(fault, 'index') || '0';
  const where = index === '-1' ? '' : `entry ${index}: `;
  return `${where}${textAt(fault, 'kind')}: ${textAt(fault, 'description')}`;
}
