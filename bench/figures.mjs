// What `npm run bench` measures: one row per figure, each run by a module of this folder in a process of its own.

/** Rounds of each figure; the median counts. */
export const ROUNDS = 5;

/**
 * `lines` are what one run prints, in order, with the target of each (none: for information). `secondsMax` bounds the run
 * whatever hangs; `only` marks what runs when it is named, or with `--all`.
 */
export const figures = [
  {
    name: 'append-single',
    module: 'append.mjs',
    secondsMax: 90,
    lines: { 'append-single': { min: 1_000 } },
  },
  {
    name: 'append-grouped',
    module: 'append.mjs',
    secondsMax: 90,
    lines: { 'append-grouped': { min: 30_000 } },
  },
  // In process, one core; the last is the worst shape, 100 policies that no index can leave out, and for information.
  {
    name: 'cedar-core',
    module: 'cedar-core.mjs',
    secondsMax: 120,
    lines: {
      'cedar-core-10': { min: 1_000_000 },
      'cedar-core-100': { min: 1_000_000 },
      'cedar-core-1000': { min: 1_000_000 },
      'cedar-core-10000': { min: 1_000_000 },
      'cedar-core-unscoped': {},
    },
  },
  {
    name: 'audit-ingest',
    module: 'audit-ingest.mjs',
    secondsMax: 150,
    lines: { 'audit-ingest': { min: 20_000 } },
  },
  {
    name: 'decide',
    module: 'decide.mjs',
    secondsMax: 150,
    lines: { decide: { min: 6_000 }, 'decide-batch': {} },
  },
  {
    name: 'lock-deny',
    module: 'lock-deny.mjs',
    secondsMax: 120,
    lines: {
      'lock-deny': { p50MsMax: 5, p99MsMax: 50 },
      'lock-deny-any': {},
      'lock-deny-from-commit': { p50MsMax: 5, p99MsMax: 50 },
      'lock-deny-after-answer': {},
    },
  },
  {
    name: 'banner-warm',
    module: 'banner.mjs',
    secondsMax: 150,
    lines: { 'banner-warm': { max: 3 }, 'banner-warm-npm': {} },
  },
  {
    name: 'writd-rss',
    module: 'memory.mjs',
    secondsMax: 240,
    // 400 MB, said in MiB.
    lines: {
      'writd-rss': { max: 381 },
      'writd-rss-engine': {},
      'writd-rss-peak': {},
      'writd-rss-supervisor': {},
    },
  },
  // For information: the same decisions while the ledger and everybody else read along on the same two cores.
  {
    name: 'decide-suite',
    module: 'decide.mjs',
    secondsMax: 180,
    only: true,
    lines: { 'decide-suite': {}, 'decide-suite-batch': {} },
  },
  // For information: what putting questions together saves the process that asks them.
  {
    name: 'client',
    module: 'client.mjs',
    secondsMax: 180,
    only: true,
    lines: { client: {} },
  },
  // For information: the same entries with OCSF events going out to a topic and a file meanwhile.
  {
    name: 'audit-ingest-siem',
    module: 'audit-ingest.mjs',
    secondsMax: 180,
    only: true,
    lines: { 'audit-ingest-siem': {} },
  },
  {
    name: 'fresh-clone',
    module: 'fresh-clone.mjs',
    secondsMax: 300,
    only: true,
    lines: { 'fresh-clone': { max: 90 } },
  },
];
