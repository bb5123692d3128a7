import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { longFunctions } from './functions.js';
import {
  badFileNames,
  factProtos,
  hiddenInputs,
  longFiles,
  nounsWithoutSpec,
  providersWithoutContract,
  type SourceFile,
  sourceFiles,
  strangers,
  unclassifiedFields,
  unknownRoles,
} from './shape.js';

const root = process.cwd();
const files = sourceFiles(root);
const file = (path: string, text = ''): SourceFile => ({ path, text });
const lines = (count: number) => 'x;\n'.repeat(count);

describe('the shape of the house', () => {
  it('is looked at as a whole', () => expect(files.length).toBeGreaterThan(100));

  it('has no file over 300 lines', () => expect(longFiles(files)).toEqual([]));
  it('would notice a file of 301 lines', () => expect(longFiles([file('a.ts', lines(301))])).toHaveLength(1));

  it('has no function over 60 lines', () => expect(files.flatMap(longFunctions)).toEqual([]));
  it.each([
    'function long() {',
    'const long = () => {',
    'class A { long(a: string): void {',
    'class A { async #long() {',
  ])('would notice a long function that starts with `%s`', (start) =>
    expect(
      longFunctions(file('a.ts', `${start}\n${lines(70)}}${start.startsWith('class') ? '}' : ''}`)).length,
    ).toBeGreaterThan(0),
  );

  it('has no file whose name says nothing', () => expect(badFileNames(files)).toEqual([]));
  it.each(['agent.service.ts', 'utils.ts', 'token-helper.ts', 'shared.ts'])('would notice `%s`', (name) =>
    expect(badFileNames([file(`apps/registry/src/agent/${name}`)])).toHaveLength(1),
  );

  it('reads no clock and draws no number outside libs/service and the door of libs/client', () =>
    expect(hiddenInputs(files)).toEqual([]));
  it.each(['Date.now()', 'new Date()', 'Math.random()', 'randomUUID()'])(
    'would notice `%s` in a rule',
    (call) =>
      expect(hiddenInputs([file('apps/registry/src/agent/agent.ts', `const x = ${call};`)])).toHaveLength(1),
  );

  it('would notice a clock elsewhere in libs/client', () =>
    expect(hiddenInputs([file('libs/client/src/retry.ts', 'const x = Date.now();')])).toHaveLength(1));

  it('knows the role of every file in a service', () => expect(unknownRoles(files)).toEqual([]));
  it('would notice a role that does not exist', () =>
    expect(unknownRoles([file('apps/vault/src/lease/lease.controller.ts')])).toHaveLength(1));

  it('has a spec beside every noun with rules', () => expect(nounsWithoutSpec(files)).toEqual([]));
  it('would notice rules without a spec', () =>
    expect(
      nounsWithoutSpec([file('apps/vault/src/lease/lease.ts', 'const d: Decider<A, B, C>')]),
    ).toHaveLength(1));

  it('has a contract for every provider', () => expect(providersWithoutContract(files)).toEqual([]));
  it('would notice a provider without a contract', () =>
    expect(
      providersWithoutContract([file('apps/vault/src/x/x.provider.ts', 'export abstract class X {}')]),
    ).toHaveLength(1));

  it('gives every fact field a data class', () => expect(unclassifiedFields(factProtos(root))).toEqual([]));
  it('would notice a field without a class', () =>
    expect(
      unclassifiedFields([file('a_facts.proto', 'message A {\n  string password = 1;\n}\n')]),
    ).toHaveLength(1));

  it('names every app in the glossary', () => {
    const glossary = readFileSync('docs/glossary.md', 'utf8');
    expect(strangers(readdirSync('apps'), glossary)).toEqual([]);
  });
  it('would notice an app that is no word of ours', () =>
    expect(strangers(['blob'], '**agent**')).toHaveLength(1));
});
