import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join, resolve } from 'node:path';

const FREE_BYTES_MIN = 512 * 1024 * 1024;

/**
 * The folder in which one suite lives: databases, keys, certificates, profiles. One process holds it at a time; what
 * it held before a crash is picked up by the next one.
 */
export class DataFolder {
  readonly path: string;
  #held = false;
  /** Whether the last writd on this folder ended without a word: what it started may still be ending. */
  afterCrash = false;

  private constructor(path: string) {
    this.path = path;
  }

  /** @throws Error in one line when it cannot be written, has no space, or another writd holds it */
  static open(path: string): DataFolder {
    const folder = new DataFolder(resolve(path));
    try {
      // Entered by the database's own user, read by nobody else: what is secret below is 0600.
      mkdirSync(folder.path, { recursive: true, mode: 0o711 });
      writeFileSync(folder.inside('write-probe'), '');
      rmSync(folder.inside('write-probe'));
    } catch (cause) {
      throw new Error(`cannot write to \`${folder.path}\`; choose another folder with --data`, { cause });
    }
    const { bavail, bsize } = statfsSync(folder.path);
    if (bavail * bsize < FREE_BYTES_MIN) {
      throw new Error(
        `less than 512 MiB are free at \`${folder.path}\`; make room or choose another folder with --data`,
      );
    }
    folder.#hold();
    return folder;
  }

  inside(...parts: string[]): string {
    return join(this.path, ...parts);
  }

  folder(...parts: string[]): string {
    const path = this.inside(...parts);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return path;
  }

  /** Where the vault's key-encryption keys are. */
  get keyFile(): string {
    return join(this.folder('secrets'), 'key-encryption-keys');
  }

  /** A random secret in a file of its own, 0600, made at the first call. Answers the file. */
  secretFile(name: string, make: () => string = () => randomBytes(24).toString('hex')): string {
    const path = join(this.folder('secrets'), name);
    if (!existsSync(path)) writeFileSync(path, make(), { mode: 0o600 });
    return path;
  }

  secret(name: string): string {
    return readFileSync(this.secretFile(name), 'utf8').trim();
  }

  /** Writes a secret that is known already. Answers the file. */
  keepSecret(name: string, value: string): string {
    const path = join(this.folder('secrets'), name);
    writeFileSync(path, value, { mode: 0o600 });
    return path;
  }

  release(): void {
    if (this.#held) rmSync(this.inside('writd.lock'), { force: true });
    this.#held = false;
  }

  #hold(): void {
    const path = this.inside('writd.lock');
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      try {
        const file = openSync(path, 'wx', 0o600);
        writeSync(file, `${process.pid}\n${startOf(process.pid)}\n`);
        closeSync(file);
        this.#held = true;
        return;
      } catch (cause) {
        if (!existsSync(path)) throw cause;
        const [pid = '', started = ''] = readFileSync(path, 'utf8').split('\n');
        if (isRunning(Number(pid)) && startOf(Number(pid)) === started) {
          throw new Error(
            `another writd (process ${pid}) runs on \`${this.path}\`; stop it or choose another folder with --data`,
          );
        }
        this.afterCrash = true;
        rmSync(path, { force: true });
      }
    }
    throw new Error(`somebody else takes \`${this.path}\` at the same moment; try again`);
  }
}

function isRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** When a process started, in ticks since boot: a number that its successor under the same pid does not have. */
function startOf(pid: number): string {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    // No /proc on this system: then the pid alone has to do.
    return '';
  }
}
