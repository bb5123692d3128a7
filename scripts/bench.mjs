// npm run bench: the figures of `bench/figures.mjs`, one process after the other, as a table. Nothing is asserted about
// time: the exit code is 1 only when a figure could not be measured.
//
//   npm run bench                  all figures that have a target and take little
//   npm run bench -- <name> …      these
//   npm run bench -- --all         also those that run by name only
//   npm run bench -- --json        one line of JSON per figure instead of the table
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build, environment, install, node24, root, say, stop } from './bootstrap.mjs';

const STOP_MS_MAX = 40_000;

function wishes() {
  const options = {
    json: { type: 'boolean' },
    all: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
  };
  try {
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    return stop(`${error.message}; see --help`);
  }
}

function chosen(figures, names, all) {
  const known = figures.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) stop(`no figure \`${unknown}\`; there are: ${known.join(', ')}`);
  if (names.length > 0) return figures.filter(({ name }) => names.includes(name));
  return figures.filter(({ only }) => all || !only);
}

let current;
let interrupted = false;

/** Runs one figure in a process and a folder of its own; answers what it reported, and whether it went well. */
async function measured({ name, module, secondsMax }, ground) {
  const folder = ground.newFolder();
  const child = spawn(node24, [join('bench', module), name], {
    cwd: root,
    env: { ...environment, WRIT_BENCH_DIR: folder },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  current = child;
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    process.stderr.write(`    ${name} took longer than ${secondsMax} s and is ended\n`);
    child.kill('SIGTERM');
  }, secondsMax * 1000);
  const killer = setTimeout(() => child.kill('SIGKILL'), secondsMax * 1000 + STOP_MS_MAX);
  const code = await new Promise((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  clearTimeout(killer);
  current = undefined;
  if (existsSync(folder)) await ground.removeFolder(folder);
  const lines = output.split('\n').filter((line) => line !== '');
  return { results: lines.map((line) => JSON.parse(line)), ok: code === 0 && !late };
}

/** Installs and builds; what that says is no JSON and goes elsewhere when JSON is asked for. */
async function prepared(json) {
  const write = process.stdout.write;
  if (json) process.stdout.write = process.stderr.write.bind(process.stderr);
  try {
    await install();
    await build();
  } finally {
    process.stdout.write = write;
  }
}

async function main() {
  const { values, positionals } = wishes();
  if (values.help)
    return say('npm run bench [-- <name> …] [--all] [--json]; names and targets are in bench/figures.mjs');
  await prepared(values.json);
  // After the installation: it uses what that brings.
  const [{ figures }, ground, { heading, jsonLine, tableOf }] = await Promise.all(
    ['figures.mjs', 'ground.mjs', 'table.mjs'].map((file) => import(`../bench/${file}`)),
  );
  const wanted = chosen(figures, positionals, values.all);
  const tell = values.json ? (line) => process.stderr.write(`${line}\n`) : say;
  tell(heading({ cpu: cpus()[0]?.model ?? 'unknown', cores: cpus().length, load: loadavg() }));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => {
      interrupted = true;
      current?.kill('SIGTERM');
    });
  const rows = [];
  let failed = false;
  for (const figure of wanted) {
    if (interrupted) break;
    process.stderr.write(`  ${figure.name} …\n`);
    const { results, ok } = await measured(figure, ground);
    failed ||= !ok;
    for (const [name, target] of Object.entries(figure.lines)) {
      const result = results.find((one) => one.name === name);
      rows.push({ name, target, result, load: loadavg()[0] });
      if (values.json && result !== undefined) say(jsonLine(result));
    }
  }
  if (!values.json) say(tableOf(rows));
  tell(
    `load average now ${loadavg()
      .map((load) => load.toFixed(1))
      .join(', ')}`,
  );
  process.exit(failed || interrupted ? 1 : 0);
}

await main();
