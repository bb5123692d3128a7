// npm run check: everything that can be said without running the product. Under a minute.
import { build, install, node24, run, say } from './bootstrap.mjs';

/** Name, command and arguments of each check; all run, whatever fails. */
export const checks = [
  ['format and lint', node24, ['node_modules/@biomejs/biome/bin/biome', 'check', '--error-on-warnings', '.']],
  ['types of specs', node24, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.spec.json']],
  ['contracts: buf lint', node24, ['node_modules/@bufbuild/buf/bin/buf', 'lint']],
  [
    'contracts: buf breaking',
    node24,
    ['node_modules/@bufbuild/buf/bin/buf', 'breaking', '--against', 'proto/published.binpb'],
  ],
  [
    'import law and shape',
    node24,
    [
      '--experimental-vm-modules',
      '--no-warnings',
      'node_modules/jest/bin/jest.js',
      '--silent',
      'tests/import-law',
      'tests/tidy',
    ],
  ],
];

export async function runChecks(only = checks) {
  const results = [];
  for (const [title, command, args] of only) {
    const started = performance.now();
    const { code, output } = await run(command, args, { quiet: true });
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    say(`  ${code === 0 ? '✓' : '✗'} ${title} (${seconds} s)`);
    if (code !== 0) say(output);
    results.push({ title, ok: code === 0 });
  }
  return results;
}

if (process.argv[1] === import.meta.filename) {
  await install();
  await build();
  const results = await runChecks();
  process.exit(results.every(({ ok }) => ok) ? 0 : 1);
}
