// What a fresh clone needs before anything else runs. Uses only Node's own modules, any Node from 20 on; the rest runs
// on the Node 24 that npm installs.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');
export const bin = join(root, 'node_modules', '.bin');
/**
 * How `writd` is run. It starts processes and walks: with the young generation that V8 would let it have, it would keep a third
 * more memory for nothing.
 */
export const writdArguments = [
  '--enable-source-maps',
  '--max-semi-space-size=2',
  join(root, 'apps/writd/dist/main.js'),
];
export const node24 = join(bin, process.platform === 'win32' ? 'node.cmd' : 'node');

/** The environment for everything that is started: Node 24 first on the PATH, no daemon left behind. */
export const environment = {
  ...process.env,
  PATH: `${bin}:${process.env.PATH}`,
  NX_DAEMON: 'false',
  NX_TUI: 'false',
};

export function say(line) {
  process.stdout.write(`${line}\n`);
}

/** Ends with one line that says what to do. */
export function stop(line) {
  process.stderr.write(`writ: ${line}\n`);
  process.exit(1);
}

/** Runs to the end with its output shown, or held back until it fails. Answers the exit code. */
export function run(command, args, { quiet = false, env = environment, cwd = root } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, stdio: quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit' });
    const held = [];
    child.stdout?.on('data', (chunk) => held.push(chunk));
    child.stderr?.on('data', (chunk) => held.push(chunk));
    child.on('error', (error) => resolve({ code: 127, output: error.message }));
    child.on('close', (code, signal) =>
      resolve({ code: code ?? 1, signal, output: Buffer.concat(held).toString() }),
    );
  });
}

/** Does one step with its time, and stops everything when it fails. */
export async function step(title, command, args, options = {}) {
  const started = performance.now();
  process.stdout.write(`  ${title} … `);
  const { code, output } = await run(command, args, { quiet: true, ...options });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  if (code !== 0) {
    process.stdout.write(`failed after ${seconds} s\n${output}\n`);
    stop(`${title} failed; the lines above say why`);
  }
  process.stdout.write(`${seconds} s\n`);
  return output;
}

/** Installs the dependencies when they are missing or older than the lock file. */
export async function install() {
  const stamp = join(root, 'node_modules', '.writ-installed');
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
  if (existsSync(stamp) && existsSync(node24) && readFileSync(stamp, 'utf8') === lock) return;
  const [major] = process.versions.node.split('.');
  if (Number(major) < 20) stop(`Node ${process.versions.node} is too old; install Node 20 or later`);
  rmSync(stamp, { force: true });
  // The packages ask for Node 24, which this very step installs, so what npm says of the Node that runs it is no news.
  await step('installing dependencies', 'npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    env: { ...process.env, npm_config_engine_strict: 'false' },
  });
  if (!existsSync(node24)) stop('npm did not install Node 24; run `npm rebuild node` and try again');
  writeFileSync(stamp, lock);
}

/** Makes contracts and compiles; does nothing when nothing has changed. */
export async function build() {
  if (contractsAreStale()) await step('generating contracts', node24, ['scripts/generate.mjs']);
  await step('compiling', node24, [join('node_modules', 'typescript', 'bin', 'tsc'), '-b']);
}

function contractsAreStale() {
  const made = join(root, 'libs', 'contracts', 'descriptor.binpb');
  if (!existsSync(made) || !existsSync(join(root, 'libs', 'contracts', 'src'))) return true;
  const sources = readdirSync(join(root, 'proto'), { recursive: true, encoding: 'utf8' }).map((path) =>
    join('proto', path),
  );
  const newest = Math.max(...['buf.gen.yaml', ...sources].map((path) => statSync(join(root, path)).mtimeMs));
  return newest > statSync(made).mtimeMs;
}

export function ensureFolder(path) {
  mkdirSync(path, { recursive: true });
  return path;
}
