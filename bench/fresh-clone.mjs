// `fresh-clone`: from a new clone of what is committed, with npm's cache as it is on this machine, to the banner.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from '../scripts/bootstrap.mjs';
import { figure, freePortBase } from './ground.mjs';
import { report } from './measure.mjs';
import { startByNpm } from './writd-process.mjs';

const BANNER_MS_MAX = 280_000;

await figure(async (ground) => {
  const clone = join(ground.folder, 'clone');
  const { code, output } = await run('git', ['clone', '--quiet', root, clone], { quiet: true });
  if (code !== 0) throw new Error(`git clone failed: ${output}`);
  const args = [
    '--no-walk',
    '--data',
    join(ground.folder, 'data'),
    '--port-base',
    String(await freePortBase()),
  ];
  const started = startByNpm(args, ground, clone);
  const seconds = await started.banner(BANNER_MS_MAX);
  await started.stop();
  rmSync(clone, { recursive: true, force: true });
  report({
    name: 'fresh-clone',
    unit: 's',
    values: [seconds],
    note: '`npm start` in a clone of the last commit: install, generate, compile, start; one round',
  });
});
