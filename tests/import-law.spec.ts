import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';

const root = process.cwd();
const planted: string[] = [];

/** Runs the import law over the tree and answers the names of the rules that were broken, by file. */
function broken(...only: readonly string[]): string[] {
  const args = ['--config', '.dependency-cruiser.cjs', '--output-type', 'json', ...only];
  const cruise = join('node_modules', 'dependency-cruiser', 'bin', 'dependency-cruiser.mjs');
  let report: string;
  try {
    report = execFileSync(process.execPath, [cruise, ...args], {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      stdio: 'pipe',
    });
  } catch (thrown) {
    report = (thrown as { stdout: string }).stdout;
  }
  const { summary } = JSON.parse(report) as {
    summary: { violations: { from: string; rule: { name: string } }[]; totalCruised: number };
  };
  if (summary.totalCruised === 0) throw new Error('the import law looked at no file');
  return summary.violations.map(({ from, rule }) => `${from} ${rule.name}`);
}

/** Writes a file that breaks a rule; it is gone after the test. */
function plant(path: string, text: string): string {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
  planted.push(path);
  return path;
}

afterEach(() => {
  for (const path of planted.splice(0)) rmSync(join(root, path), { force: true });
});

describe('the import law', () => {
  it('holds for the whole house', () => expect(broken('libs', 'apps')).toEqual([]));

  it.each([
    [
      'domain-is-pure',
      'apps/registry/src/agent/planted.ts',
      `import { readFileSync } from 'node:fs';\nexport const x = readFileSync;\n`,
    ],
    [
      'domain-is-pure',
      'apps/registry/src/agent/planted.ts',
      `import { agentFacts } from './agent.facts.js';\nexport const x = agentFacts;\n`,
    ],
    [
      'domain-types-only',
      'apps/registry/src/agent/planted.ts',
      `import { AgentSuspended } from '@writ/contracts/writ/registry/v1/agent_facts.js';\nexport const x = AgentSuspended;\n`,
    ],
    [
      'apps-do-not-meet',
      'apps/registry/src/agent/planted.view.ts',
      `import { entry } from '../../../audit/src/entry/entry.js';\nexport const x = entry;\n`,
    ],
    [
      'kernel-stands-alone',
      'libs/kernel/src/planted.ts',
      `import { createHash } from 'node:crypto';\nexport const x = createHash;\n`,
    ],
    [
      'authority-knows-the-kernel-only',
      'libs/authority/src/planted.ts',
      `import { createHash } from 'node:crypto';\nexport const x = createHash;\n`,
    ],
    [
      'client-needs-no-service',
      'libs/client/src/planted.ts',
      `import { Secret } from '@writ/service';\nexport const x = Secret;\n`,
    ],
    ['client-needs-no-service', 'libs/client/src/planted.ts', `import pg from 'pg';\nexport const x = pg;\n`],
    [
      'cedar-knows-the-reference-only',
      'libs/cedar/src/planted.ts',
      `import { chainOf } from '@writ/authority';\nexport const x = chainOf;\n`,
    ],
    [
      'cedar-wasm-behind-its-provider',
      'libs/cedar/src/planted.ts',
      `import { validate } from '@cedar-policy/cedar-wasm/nodejs';\nexport const x = validate;\n`,
    ],
    [
      'cedar-wasm-behind-its-provider',
      'apps/policy-engine/src/policy-set/planted.provider.ts',
      `import { validate } from '@cedar-policy/cedar-wasm/nodejs';\nexport const x = validate;\n`,
    ],
    [
      'store-knows-kernel-and-pg',
      'libs/event-store/src/planted.ts',
      `import { Kafka } from 'kafkajs';\nexport const x = Kafka;\n`,
    ],
    [
      'nobody-imports-a-root',
      'apps/registry/src/agent/planted.view.ts',
      `import { RegistryModule } from '../registry.module.js';\nexport const x = RegistryModule;\n`,
    ],
    [
      'edges-do-not-meet',
      'apps/registry/src/agent/planted.rpc.ts',
      `import { AgentRpc } from './agent.rpc.js';\nexport const x = AgentRpc;\n`,
    ],
    [
      'testing-in-specs-only',
      'apps/registry/src/agent/planted.view.ts',
      `import { givenFor } from '@writ/testing/decider.js';\nexport const x = givenFor;\n`,
    ],
    [
      'kafka-behind-the-port',
      'apps/audit/src/planted.ts',
      `import { Kafka } from 'kafkajs';\nexport const x = Kafka;\n`,
    ],
    [
      'no-circles',
      'libs/kernel/src/planted.ts',
      `import { x } from './planted-too.js';\nexport const y = x;\n`,
    ],
  ])('rejects a planted breach of %s', (rule, path, text) => {
    plant(path, text);
    if (rule === 'no-circles')
      plant('libs/kernel/src/planted-too.ts', `import { y } from './planted.js';\nexport const x = y;\n`);
    // Which file of a circle is told depends on where the walk along it began.
    expect(broken(path).map((line) => line.replace('planted-too', 'planted'))).toContain(`${path} ${rule}`);
  });
});
