import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { runCorpus } from '../src/corpus.js';

/** Third-party data lies beside the repository, or where `WRIT_TEST_DATA` says. */
const data = process.env.WRIT_TEST_DATA ?? join(process.cwd(), '..', 'shared', 'data');
const archives = existsSync(data)
  ? readdirSync(data).filter((name) => /^cedar-corpus.*[.]tar[.]gz$/.test(name))
  : [];
const TIMEOUT_MS = 180_000;
const folder = mkdtempSync(join(tmpdir(), 'writ-cedar-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the official corpus of Cedar', () => {
  if (archives.length === 0) {
    process.stdout.write('skipped: no third-party data\n');
    it.skip('is answered as expected; skipped: no third-party data', () => undefined);
  }

  for (const archive of archives)
    it(
      `is answered as expected: ${archive}`,
      () => {
        execFileSync('tar', ['-xzf', join(data, archive), '-C', folder]);
        const { cases, requests, differing, byFallback } = runCorpus(folder);
        expect(differing).toEqual([]);
        expect(cases).toBeGreaterThan(1_000);
        expect(requests).toBeGreaterThan(cases);
        expect(byFallback).toBeLessThan(requests / 100);
      },
      TIMEOUT_MS,
    );
});

describe('a corpus of one case', () => {
  const uid = (type: string, id: string) => ({ type, id });
  const request = {
    principal: uid('U', 'a'),
    action: uid('Action', 'read'),
    resource: uid('U', 'a'),
    context: {},
    decision: 'allow',
    reason: ['policy0'],
    errors: [],
  };

  /** Writes a case that expects what it is told to. */
  function written(name: string, expected: object): string {
    const root = join(folder, name);
    mkdirSync(join(root, 'corpus-tests'), { recursive: true });
    const file = (suffix: string) => `corpus-tests/one.${suffix}`;
    writeFileSync(
      join(root, file('cedar')),
      'permit (principal, action, resource) when { 9007199254740993 == 9007199254740993 };',
    );
    writeFileSync(
      join(root, file('cedarschema')),
      'entity U; action read appliesTo { principal: U, resource: U };',
    );
    writeFileSync(join(root, file('entities.json')), '[]');
    const one = {
      policies: file('cedar'),
      schema: file('cedarschema'),
      entities: file('entities.json'),
      requests: [{ ...request, ...expected }],
    };
    writeFileSync(join(root, file('json')), JSON.stringify(one));
    return root;
  }

  it('has nothing to tell when all is as expected', () =>
    expect(runCorpus(written('right', {}))).toEqual({ cases: 1, requests: 1, differing: [], byFallback: 0 }));

  it.each([
    ['decision', { decision: 'deny' }],
    ['reasons', { reason: [] }],
    ['number of errors', { errors: ['policy0'] }],
  ])('tells another %s', (name, expected) =>
    expect(runCorpus(written(name, expected)).differing).toHaveLength(1),
  );

  it('is an error when it has no case', () => {
    mkdirSync(join(folder, 'empty'));
    expect(() => runCorpus(join(folder, 'empty'))).toThrow('no cases in');
  });
});
