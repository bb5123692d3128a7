import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Secret } from '@writ/service';
import { createKeyFile, FileKeys } from './file-kek.provider.js';
import { seal, unseal, VALUE_BYTES_MAX } from './secret-value.cipher.js';

const id = { secretId: 'sec_01K41M7JG0000000000000000A', version: 1 };
const text = 'postgres://admin:correct-horse@127.0.0.1/erp';
const value = new Secret<Uint8Array>(Buffer.from(text));
let folder: string;
let keys: FileKeys;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'writ-value-'));
  await createKeyFile(join(folder, 'kek'), randomBytes);
  keys = await FileKeys.open(join(folder, 'kek'), randomBytes);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('a sealed value', () => {
  it('opens to what was sealed, empty or as large as allowed', async () => {
    for (const plain of [Buffer.alloc(0), Buffer.from(text), Buffer.alloc(VALUE_BYTES_MAX, 3)]) {
      const opened = await unseal(keys, id, await seal(keys, randomBytes, id, new Secret<Uint8Array>(plain)));
      expect(Buffer.from(opened.reveal())).toEqual(plain);
    }
  });

  it('holds nothing of the value and is never the same twice', async () => {
    const [one, two] = [await seal(keys, randomBytes, id, value), await seal(keys, randomBytes, id, value)];
    expect(Buffer.from(one.sealed).includes('correct-horse')).toBe(false);
    expect(Buffer.from(one.sealed)).not.toEqual(Buffer.from(two.sealed));
    expect(Buffer.from(one.wrappedKey)).not.toEqual(Buffer.from(two.wrappedKey));
  });

  it('does not open after one bit of it was changed, wherever it is', async () => {
    const sealedValue = await seal(keys, randomBytes, id, value);
    for (const at of sealedValue.sealed.keys()) {
      const sealed = Buffer.from(sealedValue.sealed);
      sealed.writeUInt8(sealed.readUInt8(at) ^ 0x80, at);
      await expect(unseal(keys, id, { ...sealedValue, sealed })).rejects.toMatchObject({
        code: 'SECRET_VALUE_DAMAGED',
      });
    }
  });

  it('does not open as another version or another secret', async () => {
    const sealedValue = await seal(keys, randomBytes, id, value);
    for (const other of [
      { ...id, version: 2 },
      { ...id, secretId: 'sec_01K41M7JG0000000000000000B' },
    ])
      await expect(unseal(keys, other, sealedValue)).rejects.toMatchObject({ code: 'WRAPPED_KEY_DAMAGED' });
  });

  it('does not open with the data key of another value', async () => {
    const [one, two] = [await seal(keys, randomBytes, id, value), await seal(keys, randomBytes, id, value)];
    await expect(unseal(keys, id, { ...one, wrappedKey: two.wrappedKey })).rejects.toMatchObject({
      code: 'SECRET_VALUE_DAMAGED',
    });
  });

  it('prints as nothing once it is open', async () => {
    const opened = await unseal(keys, id, await seal(keys, randomBytes, id, value));
    for (const printed of [inspect(opened), `${opened}`, JSON.stringify({ opened })])
      expect(printed).not.toContain('horse');
  });
});
