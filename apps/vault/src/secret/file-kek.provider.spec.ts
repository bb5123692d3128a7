import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { createKeyFile, FileKeys } from './file-kek.provider.js';
import { keyProviderContract } from './kek.provider.contract.js';

let folder: string;
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'writ-kek-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function newKeyFile(): Promise<string> {
  count += 1;
  const path = join(folder, `kek-${count}`);
  await createKeyFile(path, randomBytes);
  return path;
}

keyProviderContract('a file', async () => {
  const path = await newKeyFile();
  return {
    keys: await FileKeys.open(path, randomBytes),
    rotated: async () => {
      // By hand: a line on top.
      const kept = await readFile(path, 'utf8');
      await writeFile(path, `${randomBytes(32).toString('base64')}\n${kept}`);
      return FileKeys.open(path, randomBytes);
    },
    stranger: async () => FileKeys.open(await newKeyFile(), randomBytes),
  };
});

describe('a key file', () => {
  it('keeps its keys and their ids over a restart', async () => {
    const path = await newKeyFile();
    const ids = [await FileKeys.open(path, randomBytes), await FileKeys.open(path, randomBytes)];
    expect(ids[0]?.currentKekId()).toBe(ids[1]?.currentKekId());
  });

  it.each([0o640, 0o604, 0o660, 0o610])('is refused with mode %o, which lets others in', async (mode) => {
    const path = await newKeyFile();
    await chmod(path, mode);
    await expect(FileKeys.open(path, randomBytes)).rejects.toThrow('make it 0600');
  });

  it('is refused when it is missing', async () => {
    await expect(FileKeys.open(join(folder, 'none'), randomBytes)).rejects.toThrow('cannot be opened');
  });

  it('is refused when it is a folder', async () => {
    const path = await mkdtemp(join(folder, 'dir-'));
    await expect(FileKeys.open(path, randomBytes)).rejects.toThrow('no regular file');
  });

  it('is refused when it is empty', async () => {
    await expect(FileKeys.open(await fileWith('# nothing yet\n\n'), randomBytes)).rejects.toThrow(
      'holds no key',
    );
  });

  it.each([
    ['a byte short', Buffer.alloc(31, 1).toString('base64')],
    ['a byte long', Buffer.alloc(33, 1).toString('base64')],
    ['no base64', '*'.repeat(44)],
    ['mistyped at its end', `${Buffer.alloc(32, 1).toString('base64').slice(0, 42)}F=`],
  ])('is refused when a key in it is %s, and does not repeat it', async (_, line) => {
    const path = await fileWith(`${Buffer.alloc(32, 9).toString('base64')}\n${line}\n`);
    const refused = await FileKeys.open(path, randomBytes).catch((cause: Error) => cause);
    expect(String(refused)).toContain('not 32 bytes in base64');
    expect(String(refused)).not.toContain(line);
  });

  it('is never overwritten by a new one', async () => {
    const path = await newKeyFile();
    const before = await readFile(path, 'utf8');
    await expect(createKeyFile(path, randomBytes)).rejects.toThrow('EEXIST');
    expect(await readFile(path, 'utf8')).toBe(before);
  });

  it('is on the disk before it gets its name, and its name before it is used', async () => {
    const path = join(folder, 'synced');
    const handle = await open(folder);
    const files = Object.getPrototypeOf(handle);
    await handle.close();
    const synced: string[] = [];
    const { sync } = files;
    const spy = jest.spyOn(files, 'sync').mockImplementation(async function (this: typeof handle) {
      const what = (await this.stat()).isDirectory() ? 'folder' : 'file';
      synced.push(`${what}, ${existsSync(path) ? 'named' : 'not named'}`);
      return sync.call(this);
    });
    await createKeyFile(path, randomBytes).finally(() => spy.mockRestore());
    expect(synced).toEqual(['file, not named', 'folder, named']);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('is made although a crash left a draft of it behind, and leaves none', async () => {
    const path = join(folder, 'after-a-crash');
    await writeFile(`${path}.new`, 'half a k', { mode: 0o600 });
    await createKeyFile(path, randomBytes);
    await FileKeys.open(path, randomBytes);
    expect((await readdir(folder)).filter((name) => name.startsWith('after-a-crash'))).toEqual([
      'after-a-crash',
    ]);
  });

  async function fileWith(content: string): Promise<string> {
    count += 1;
    const path = join(folder, `kek-${count}`);
    await writeFile(path, content, { mode: 0o600 });
    return path;
  }
});
