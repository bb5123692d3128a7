import type { StartedSuite } from './start-suite.js';

/** What somebody who has just started it wants to know. */
export function bannerOf({ record, home }: StartedSuite, startMs: number): string {
  const endpoints = Object.entries(record.endpoints).map(
    ([name, address]) => `  ${name.padEnd(16)} ${address}   gRPC, mutual TLS`,
  );
  const others = Object.entries(record.others).map(([name, value]) => `  ${name.padEnd(16)} ${value}`);
  return [
    '',
    `Writ is up after ${(startMs / 1000).toFixed(1)} s: trust domain ${record.trustDomain}, facts by ${record.carrier}`,
    '',
    ...endpoints,
    ...others,
    `  ${'profiles'.padEnd(16)} ${home.folder}/profiles (readable by you only)`,
    '',
    '  npm run writ -- status        what runs, and how it is',
    '  npm run writ -- agent list    the agents',
    '',
    '  Not for production: one machine, one operator, keys in files.',
  ].join('\n');
}
