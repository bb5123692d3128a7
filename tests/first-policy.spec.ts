import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Files } from '@writ/cli/files.js';
import { PolicyFolder } from '@writ/cli/policy-folder.js';
import { PolicyTest } from '@writ/contracts/writ/policy/v1/policy_set_facts.js';
import { runTests, testProblems } from '@writ/policy-engine/policy-set/policy-test.flow.js';
import { comparedCedar } from '../apps/policy-engine/test/cedar.js';

const page = 'docs/first-policy.md';
const input = { tty: false, read: async () => Buffer.alloc(0), line: async () => '' };

let folder: string;

/** Writes the files that the page has its reader write, up to where it changes them. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'first-policy-'));
  const written = (await readFile(page, 'utf8')).matchAll(
    /cat > \.writ\/desk\/(\S+) <<'END'\n([\s\S]*?)\nEND\n/g,
  );
  for (const [, name = '', text = ''] of written) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), `${text}\n`);
  }
});
afterAll(() => rm(folder, { recursive: true }));

describe('the policy set of the first policy', () => {
  it('is right, and passes as many tests as its page says', async () => {
    const { policies, schema, tests } = (
      await PolicyFolder.read('.', new Files({ cwd: folder, input }))
    ).request();
    const read = tests.map((test) => PolicyTest.fromJSON(test));
    const language = comparedCedar();
    expect(language.problems({ policies, schema })).toEqual([]);
    expect(Object.values(testProblems(read)).filter(Boolean)).toEqual([]);
    const passed = runTests(language, { policies, schema }, read).filter((result) => result.passed);
    expect(await readFile(page, 'utf8')).toContain(`\n${passed.length} passed, 0 failed\n`);
    expect(passed).toHaveLength(tests.length);
  });
});
