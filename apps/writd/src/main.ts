import { existsSync, writeFileSync } from 'node:fs';
import { reasonOf } from '@writ/service';
import { type Options, parseOptions, usage } from './options.js';
import { bannerOf } from './suite/banner.js';
import { DataFolder } from './suite/data-folder.js';
import { type StartedSuite, startSuite } from './suite/start-suite.js';
import { Stops } from './suite/stops.js';
import { walk } from './walk/walk.js';

const EXIT_FAILED = 1;
const EXIT_USAGE = 64;

const print = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

function fail(line: string, code: number): never {
  process.stderr.write(`writd: ${line}\n`);
  process.exit(code);
}

function optionsOf(args: readonly string[]): Options {
  try {
    return parseOptions(args);
  } catch (error) {
    return fail(`${error instanceof Error ? error.message : error}; see --help`, EXIT_USAGE);
  }
}

async function main(): Promise<void> {
  const options = optionsOf(process.argv.slice(2));
  if (options.help) return print(usage);
  const startMs = performance.now();
  let folder: DataFolder | undefined;
  const stops = new Stops();
  let ending = false;
  const end = async (code: number) => {
    if (ending) return;
    ending = true;
    await stops.all();
    folder?.release();
    process.exit(code);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void end(0));
  try {
    folder = DataFolder.open(options.dataDir);
    const suite = await startSuite(
      options,
      folder,
      stops,
      (line) => print(`  ${line}`),
      (cause) => {
        process.stderr.write(`writd: ${cause.message}\n`);
        void end(EXIT_FAILED);
      },
    );
    print(bannerOf(suite, performance.now() - startMs));
    await perform(options, folder, suite, end);
  } catch (error) {
    // Whoever interrupts a start has no use for the reason why it failed.
    if (!ending) process.stderr.write(`writd: ${reasonOf(error)}\n`);
    await end(EXIT_FAILED);
  }
}

async function perform(
  options: Options,
  folder: DataFolder,
  suite: StartedSuite,
  end: (code: number) => Promise<void>,
) {
  const marker = folder.inside('walked');
  const wanted = options.once || (options.walk && !existsSync(marker));
  if (wanted) {
    print('\nThe main job, step by step:\n');
    const held = await walk(suite, print);
    if (held) writeFileSync(marker, '');
    print(held ? '\nAll ten steps held.' : '\nNot all steps held.');
    if (options.once) return end(held ? 0 : EXIT_FAILED);
  }
  print('\nRunning. Ctrl-C stops it; the next start goes on with the same data.');
}

await main();
