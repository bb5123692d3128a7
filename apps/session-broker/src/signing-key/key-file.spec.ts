import { execFile } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { privateKeyIn } from './key-file.store.js';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'writ-key-'));
  file = join(folder, 'token-signing.pem');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const publicPart = (key: ReturnType<typeof privateKeyIn>) =>
  createPublicKey(key).export({ type: 'spki', format: 'pem' });

describe('the file of the signing key', () => {
  it('is made once, for its owner only, with nothing left beside it', () => {
    const made = publicPart(privateKeyIn(file));
    expect(publicPart(privateKeyIn(file))).toBe(made);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['token-signing.pem']);
  });

  it('is refused when others may read it', () => {
    privateKeyIn(file);
    chmodSync(file, 0o640);
    expect(() => privateKeyIn(file)).toThrow('chmod 600');
  });

  it('that cannot be written stops the start, in words that name it', () => {
    const nowhere = join(folder, 'missing', 'key.pem');
    expect(() => privateKeyIn(nowhere)).toThrow(`cannot write the signing key to \`${nowhere}\``);
  });

  it('gives replicas that start at the same moment one key, and never half of one', async () => {
    const source = new URL('./key-file.store.ts', import.meta.url).href;
    const program = `
      const { privateKeyIn } = await import(${JSON.stringify(source)});
      const { createPublicKey } = await import('node:crypto');
      while (Date.now() < Number(process.argv[2]));
      console.log(createPublicKey(privateKeyIn(process.argv[1])).export({ type: 'spki', format: 'pem' }));`;
    const startMs = String(Date.now() + 1_500);
    const replica = () =>
      promisify(execFile)(process.execPath, ['--input-type=module', '-e', program, file, startMs]);
    const keys = await Promise.all(Array.from({ length: 6 }, replica));
    expect(new Set(keys.map(({ stdout }) => stdout)).size).toBe(1);
    expect(readdirSync(folder)).toEqual(['token-signing.pem']);
  });
});
