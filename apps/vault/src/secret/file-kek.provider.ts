import { createHash, createSecretKey, type KeyObject } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Secret } from '@writ/service';
import { decrypt, encrypt, NONCE_BYTES } from './aes-gcm.cipher.js';
import { DATA_KEY_BYTES, KeyProvider, refuseKey, type WrappedKey } from './kek.provider.js';

/** Supplies chance: `Clock.randomBytes`. */
export type RandomBytes = (count: number) => Uint8Array;

const KEY_BYTES = 32;
const FILE_BYTES_MAX = 64 * 1024;
const OTHERS = 0o077;
const head =
  '# Key-encryption keys of the vault, base64, one a line. The first wraps; all unwrap. Never delete a line.\n';

/**
 * Key-encryption keys in a file of the vault's user. One key a line, 32 bytes in base64; the first line wraps, every
 * line unwraps, so that a key is rotated by adding a line on top. Ids are made from the keys themselves: a line
 * cannot be mistaken for another.
 */
export class FileKeys extends KeyProvider {
  private constructor(
    private readonly keys: ReadonlyMap<string, KeyObject>,
    private readonly current: string,
    private readonly randomBytes: RandomBytes,
  ) {
    super();
  }

  /** @throws Error when the file is missing, readable for others, of another user, or holds anything but keys */
  static async open(path: string, randomBytes: RandomBytes): Promise<FileKeys> {
    const keys = new Map((await readKeys(path)).map((key) => [kekIdOf(key), createSecretKey(key)]));
    const [current] = keys.keys();
    if (current === undefined) throw new Error(`key file \`${path}\` holds no key`);
    return new FileKeys(keys, current, randomBytes);
  }

  override currentKekId(): string {
    return this.current;
  }

  override async wrap(dataKey: Secret<Uint8Array>, context: string): Promise<WrappedKey> {
    const plaintext = dataKey.reveal();
    if (plaintext.length !== DATA_KEY_BYTES) throw new Error(`a data key has ${DATA_KEY_BYTES} bytes`);
    const key = this.keyOf(this.current);
    const nonce = this.randomBytes(NONCE_BYTES);
    const bytes = encrypt({ key, nonce, plaintext, context: wrapContext(this.current, context) });
    return { kekId: this.current, bytes };
  }

  override async unwrap({ kekId, bytes }: WrappedKey, context: string): Promise<Secret<Uint8Array>> {
    const dataKey = decrypt({ key: this.keyOf(kekId), sealed: bytes, context: wrapContext(kekId, context) });
    if (dataKey === undefined)
      throw refuseKey(
        'WRAPPED_KEY_DAMAGED',
        `a data key does not unwrap under \`${kekId}\`; restore it from a backup`,
      );
    return new Secret<Uint8Array>(dataKey);
  }

  private keyOf(kekId: string): KeyObject {
    const key = this.keys.get(kekId);
    if (key === undefined)
      throw refuseKey(
        'KEK_UNKNOWN',
        `the vault has no key-encryption key \`${kekId}\`; add its line to the key file`,
      );
    return key;
  }
}

/**
 * Makes a key file with one new key. Never overwrites: a lost key is a lost vault. The file gets its name when it is whole and
 * on the disk, so that a crash leaves either no key file or one that no later crash can take away.
 *
 * @throws Error EEXIST when there is one
 */
export async function createKeyFile(path: string, randomBytes: RandomBytes): Promise<void> {
  const draft = `${path}.new`;
  // Left by a crash: no key of a vault, or one that has its name too.
  await rm(draft, { force: true });
  const file = await open(draft, 'wx', 0o600);
  try {
    // Whatever the umask takes away.
    await file.chmod(0o600);
    await file.writeFile(head + lineOf(randomBytes(KEY_BYTES)));
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    // Unlike a rename it refuses a name that is taken.
    await link(draft, path);
  } finally {
    await rm(draft);
  }
  await syncFolder(dirname(path));
}

/** A name is on the disk when its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function readKeys(path: string): Promise<Buffer[]> {
  const file = await open(path, constants.O_RDONLY).catch((cause) => {
    throw new Error(`key file \`${path}\` cannot be opened; the vault does not start without its keys`, {
      cause,
    });
  });
  try {
    await requirePrivate(file, path);
    const lines = (await file.readFile('utf8')).split('\n').map((line) => line.trim());
    return lines.filter((line) => line !== '' && !line.startsWith('#')).map((line) => keyOfLine(line, path));
  } finally {
    await file.close();
  }
}

/** By the open file and not by its name, which may point elsewhere a moment later. */
async function requirePrivate(file: FileHandle, path: string): Promise<void> {
  const { mode, uid, size } = await file.stat();
  if ((mode & constants.S_IFMT) !== constants.S_IFREG)
    throw new Error(`key file \`${path}\` is no regular file`);
  if ((mode & OTHERS) !== 0) throw new Error(`key file \`${path}\` is open to others; make it 0600`);
  if (uid !== process.getuid?.()) throw new Error(`key file \`${path}\` belongs to another user`);
  if (size > FILE_BYTES_MAX) throw new Error(`key file \`${path}\` has more than ${FILE_BYTES_MAX} bytes`);
}

function keyOfLine(line: string, path: string): Buffer {
  const key = Buffer.from(line, 'base64');
  // Base64 that does not spell itself again was cut or mistyped, and Node would decode it all the same.
  if (key.length !== KEY_BYTES || key.toString('base64') !== line)
    throw new Error(`key file \`${path}\` has a line that is not ${KEY_BYTES} bytes in base64`);
  return key;
}

function lineOf(key: Uint8Array): string {
  return `${Buffer.from(key).toString('base64')}\n`;
}

/** 96 bits of a digest name a key and say nothing about it. */
function kekIdOf(key: Uint8Array): string {
  return `file:${createHash('sha256').update('writ kek\n').update(key).digest('base64url').slice(0, 16)}`;
}

function wrapContext(kekId: string, context: string): string {
  return `writ data key 1\n${kekId}\n${context}`;
}
