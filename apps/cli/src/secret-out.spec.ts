import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SystemClock } from '@writ/service';
import type { JsonObject } from './json.js';
import { leaseNoun } from './nouns/lease.noun.js';
import { secretNoun } from './nouns/secret.noun.js';
import { runVerb } from './run-verb.js';
import type { Suite } from './suite.js';
import type { Noun, Work } from './verb.js';

const noText = Buffer.from([0xff, 0xfe, 0x00, 0x80, 0x0a, 0xc3]);
const read = { value: noText.toString('base64'), version: '1', decisionId: 'dec_1' };
const issued = { lease: { leaseId: 'lse_1' }, username: 'writ_1', password: 'p4ss' };

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'writ-secret-'));
});

afterAll(async () => rm(folder, { recursive: true }));

/** What a verb writes to standard output when the vault answers so. */
async function written(
  noun: Noun,
  name: string,
  answer: JsonObject,
  extras: Work['extras'],
  format: 'table' | 'json' = 'table',
): Promise<Buffer> {
  const verb = noun.verbs.find((one) => one.name === name);
  if (verb === undefined) throw new Error(`no verb \`${name}\``);
  const out: Buffer[] = [];
  const sink = { tty: false, write: (content: string | Uint8Array) => void out.push(Buffer.from(content)) };
  const files = { read: async () => Buffer.from('a token') };
  await runVerb({
    io: {
      out: sink,
      err: { tty: false, write: () => undefined },
      input: { tty: false, read: async () => Buffer.alloc(0), line: async () => '' },
      env: {},
      cwd: folder,
      clock: new SystemClock(),
    },
    settings: {
      home: undefined,
      profile: 'agent',
      format,
      quiet: false,
      color: false,
      input: false,
      showApi: false,
      dryRun: false,
      timeoutMs: undefined,
      requestId: undefined,
    },
    suite: { files, call: async () => answer } as unknown as Suite,
    title: `${noun.name} ${name}`,
    verb,
    args: [],
    extras: { 'token-file': 'token', ...extras },
    request: {},
  });
  return Buffer.concat(out);
}

describe('a secret of an answer', () => {
  it('is printed byte for byte, also when it is no text', async () =>
    expect(await written(secretNoun, 'read', read, { to: '-' })).toEqual(noText));

  it('is written byte for byte to a file that only its owner reads', async () => {
    const out = await written(secretNoun, 'read', read, { to: 'value' });
    expect(out.includes(noText)).toBe(false);
    expect(await readFile(join(folder, 'value'))).toEqual(noText);
    expect(((await stat(join(folder, 'value'))).mode & 0o777).toString(8)).toBe('600');
  });

  it('leaves nothing of it beside a place where it cannot be written', async () => {
    await mkdir(join(folder, 'taken', 'value'), { recursive: true });
    await expect(written(secretNoun, 'read', read, { to: 'taken/value' })).rejects.toThrow('EISDIR');
    expect(await readdir(join(folder, 'taken'))).toEqual(['value']);
  });

  it.each(['table', 'json'] as const)('is all that is printed of a lease, with -o %s', async (format) =>
    expect((await written(leaseNoun, 'issue', issued, { 'password-file': '-' }, format)).toString()).toBe(
      'p4ss',
    ),
  );

  it('is never lost: with --show-password the whole lease is printed, whatever the file', async () =>
    expect(
      (await written(leaseNoun, 'issue', issued, { 'password-file': '-', 'show-password': true })).toString(),
    ).toMatch(/id +lse_1\nusername +writ_1\npassword +p4ss/));
});
