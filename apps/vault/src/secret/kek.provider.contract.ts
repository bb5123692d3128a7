import { beforeEach, describe, expect, it } from '@jest/globals';
import { Secret } from '@writ/service';
import { DATA_KEY_BYTES, type KeyProvider } from './kek.provider.js';

export interface KeysUnderTest {
  readonly keys: KeyProvider;
  /** The same provider after its current key was replaced. */
  rotated(): Promise<KeyProvider>;
  /** A provider of the same kind with other keys. */
  stranger(): Promise<KeyProvider>;
}

/** What every holder of key-encryption keys promises. */
export function keyProviderContract(name: string, make: () => Promise<KeysUnderTest>): void {
  describe(`key-encryption keys in ${name}`, () => {
    const dataKey = new Secret<Uint8Array>(Buffer.alloc(DATA_KEY_BYTES, 7));
    const context = 'sec_01K41M7JG0000000000000000A version 1';
    let under: KeysUnderTest;
    beforeEach(async () => {
      under = await make();
    });

    it('give back the data key they wrapped', async () => {
      const { keys } = under;
      const unwrapped = await keys.unwrap(await keys.wrap(dataKey, context), context);
      expect(Buffer.from(unwrapped.reveal())).toEqual(Buffer.from(dataKey.reveal()));
    });

    it('name the key that wrapped', async () => {
      const { keys } = under;
      expect((await keys.wrap(dataKey, context)).kekId).toBe(keys.currentKekId());
    });

    it('never wrap to the same bytes twice, and never to the data key itself', async () => {
      const { keys } = under;
      const [one, two] = [await keys.wrap(dataKey, context), await keys.wrap(dataKey, context)];
      expect(Buffer.from(one.bytes)).not.toEqual(Buffer.from(two.bytes));
      expect(Buffer.from(one.bytes).includes(Buffer.from(dataKey.reveal()))).toBe(false);
    });

    it('refuse a wrapped key of which one bit was changed, wherever it is', async () => {
      const { keys } = under;
      const wrapped = await keys.wrap(dataKey, context);
      for (const at of wrapped.bytes.keys()) {
        const bytes = Buffer.from(wrapped.bytes);
        bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
        await expect(keys.unwrap({ ...wrapped, bytes }, context)).rejects.toMatchObject({
          code: 'WRAPPED_KEY_DAMAGED',
        });
      }
    });

    it('refuse a wrapped key that was cut short', async () => {
      const { keys } = under;
      const wrapped = await keys.wrap(dataKey, context);
      for (const bytes of [new Uint8Array(), wrapped.bytes.subarray(0, wrapped.bytes.length - 1)])
        await expect(keys.unwrap({ ...wrapped, bytes }, context)).rejects.toMatchObject({
          code: 'WRAPPED_KEY_DAMAGED',
        });
    });

    it('refuse a wrapped key that was moved to another place', async () => {
      const { keys } = under;
      const wrapped = await keys.wrap(dataKey, context);
      await expect(keys.unwrap(wrapped, 'sec_01K41M7JG0000000000000000A version 2')).rejects.toMatchObject({
        code: 'WRAPPED_KEY_DAMAGED',
      });
    });

    it('refuse the id of a key they do not have', async () => {
      const { keys } = under;
      const wrapped = await keys.wrap(dataKey, context);
      await expect(keys.unwrap({ ...wrapped, kekId: 'nowhere' }, context)).rejects.toMatchObject({
        code: 'KEK_UNKNOWN',
      });
      await expect((await under.stranger()).unwrap(wrapped, context)).rejects.toMatchObject({
        code: 'KEK_UNKNOWN',
      });
    });

    it('wrap under a new key after a rotation and still unwrap what the old one wrapped', async () => {
      const { keys } = under;
      const old = await keys.wrap(dataKey, context);
      const rotated = await under.rotated();
      const fresh = await rotated.wrap(dataKey, context);
      expect(fresh.kekId).not.toBe(old.kekId);
      for (const wrapped of [old, fresh])
        expect(Buffer.from((await rotated.unwrap(wrapped, context)).reveal())).toEqual(
          Buffer.from(dataKey.reveal()),
        );
    });

    it('do not take the bytes of one key for those of another', async () => {
      const { keys } = under;
      const old = await keys.wrap(dataKey, context);
      const rotated = await under.rotated();
      await expect(rotated.unwrap({ ...old, kekId: rotated.currentKekId() }, context)).rejects.toMatchObject({
        code: 'WRAPPED_KEY_DAMAGED',
      });
    });

    it('wrap nothing but whole data keys', async () => {
      await expect(under.keys.wrap(new Secret<Uint8Array>(Buffer.alloc(16)), context)).rejects.toThrow(
        '32 bytes',
      );
    });
  });
}
