import { describe, expect, it } from '@jest/globals';
import { SystemClock } from '@writ/service';
import { contract } from './contract.js';
import { programOf } from './program.js';
import { referencePage } from './reference.js';
import { fieldAt, optionsOf } from './request.js';
import { tree } from './tree.js';
import { type CallVerb, extrasOf, isCall, isNoun } from './verb.js';

const verbs = tree.flatMap((branch) => (isNoun(branch) ? branch.verbs : [branch]));
const calls: readonly CallVerb[] = verbs.filter(isCall);
const secretFields = ['value', 'token', 'password', 'signature', 'assertion', 'jwk'];
const silent = { write: () => undefined, tty: false };

describe('the command tree', () => {
  it('names only fields that the contract has', () => {
    for (const verb of calls) {
      for (const { field } of optionsOf(verb)) fieldAt(verb.rpc.request, field);
      for (const { field } of verb.args ?? []) if (field !== undefined) fieldAt(verb.rpc.request, field);
    }
    expect(calls.length).toBeGreaterThan(50);
  });

  it('reaches every call of the contract, but for those that are for programs', () => {
    const reached = new Set(calls.map(({ rpc }) => rpc.method.path));
    const unreached = [...contract.calls()].filter((path) => !reached.has(path));
    expect(unreached).toEqual([
      '/writ.policy.v1.DecisionService/DecideBatch',
      '/writ.watch.v1.WatchService/Watch',
    ]);
  });

  it('takes no secret by a flag or an argument, only by a file', () => {
    const byFlag = calls.flatMap((verb) =>
      optionsOf(verb)
        .filter(({ field, fromFile }) => secretFields.includes(field) && fromFile !== true)
        .map(({ flag }) => `${verb.name} --${flag}`),
    );
    const byArgument = calls.flatMap((verb) =>
      (verb.args ?? []).flatMap(({ field, name }) => (field && secretFields.includes(field) ? [name] : [])),
    );
    expect([...byFlag, ...byArgument]).toEqual([]);
  });

  it('hides every secret of an answer unless a flag asks for it', () => {
    const hidden = Object.fromEntries(calls.map((verb) => [verb.rpc.title, Object.keys(verb.hides ?? {})]));
    expect(hidden['writ.session.v1.SessionService/OpenSession']).toEqual(['accessToken']);
    expect(hidden['writ.session.v1.SessionService/IssueToken']).toEqual(['accessToken']);
    expect(hidden['writ.vault.v1.LeaseService/IssueLease']).toEqual(['password']);
    expect(hidden['writ.vault.v1.SecretService/ReadSecret']).toEqual(['value']);
  });

  it('gives no verb the same flag twice, and none a flag that every command has', () => {
    const global = [
      'home',
      'profile',
      'output',
      'quiet',
      'color',
      'show-api',
      'timeout',
      'request-id',
      'dry-run',
    ];
    for (const verb of verbs) {
      const own = [...(isCall(verb) ? optionsOf(verb) : []), ...extrasOf(verb)].map(({ flag }) => flag);
      expect(new Set(own).size).toBe(own.length);
      expect(own.filter((flag) => global.includes(flag))).toEqual([]);
    }
  });

  it('has a command, a help line and a page entry for every verb', () => {
    const io = { out: silent, err: silent, input: silentInput, env: {}, cwd: '/', clock: new SystemClock() };
    const program = programOf(tree, io, async () => undefined);
    const page = referencePage(tree);
    for (const branch of tree) {
      const command = program.commands.find((one) => one.name() === branch.name);
      expect(command?.description()).toBe(branch.doc);
      for (const verb of isNoun(branch) ? branch.verbs : []) {
        expect(command?.commands.some((one) => one.name() === verb.name)).toBe(true);
        expect(page).toContain(`### \`writ ${branch.name} ${verb.name}`);
      }
    }
  });

  it('keeps its page free of ids, paths and times, so that it is the same everywhere', () =>
    expect(referencePage(tree)).not.toMatch(/\/(home|tmp|root|work)\/|_01[0-9A-Z]{24}/));
});

const silentInput = { tty: false, read: async () => Buffer.alloc(0), line: async () => '' };
