// npm test: types, import law, shape, rules, contracts, services on real PostgreSQL, the bus on real Apache Kafka, the
// suite as separate processes. Ends with `N passed, N failed`. Arguments are paths: only those specs run.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, ensureFolder, environment, install, node24, root, run, say } from './bootstrap.mjs';
import { checks, runChecks } from './check.mjs';
import { prepareJava } from './java.mjs';

/** Spec files that are about Apache Kafka as a whole, each counted once where they cannot run. */
const KAFKA_SPECS = 2;

const paths = process.argv.slice(2);
await install();
await build();
const java = await prepareJava();

// Import law and shape are Jest specs and counted there.
const results =
  paths.length === 0 ? await runChecks(checks.filter(([title]) => !title.startsWith('import law'))) : [];
let passed = results.filter(({ ok }) => ok).length;
let failed = results.length - passed;

const report = join(ensureFolder(join(root, 'node_modules', '.cache')), 'jest-report.json');
const { code } = await run(
  node24,
  [
    '--experimental-vm-modules',
    '--no-warnings',
    'node_modules/jest/bin/jest.js',
    '--maxWorkers=2',
    '--json',
    `--outputFile=${report}`,
    ...paths,
  ],
  { env: { ...environment, ...(java.ok ? {} : { WRIT_TEST_NO_KAFKA: java.reason }) } },
);
const jest = JSON.parse(readFileSync(report, 'utf8'));
passed += jest.numPassedTests;
failed += jest.numFailedTests + jest.numRuntimeErrorTestSuites;
if (code !== 0 && failed === 0) failed = 1;
if (!java.ok) {
  say(`skipped: the tests on Apache Kafka; ${java.reason}`);
  if (process.env.CI) failed += 1;
}
const withoutKafka = java.ok ? 0 : KAFKA_SPECS;
const left = jest.numPendingTests + withoutKafka;
if (left > 0) say(`skipped: ${left} tests; the lines above say why`);
say(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
