// `banner-warm`: from starting `writd` on data that is there to its banner; `banner-warm-npm` from `npm start`, with the
// look whether anything must be installed or built.
import { join } from 'node:path';
import { figure, freePortBase } from './ground.mjs';
import { inRounds, progress, report } from './measure.mjs';
import { startByNpm, startWritd } from './writd-process.mjs';

const BANNER_MS_MAX = 60_000;
const MEASURING_SECONDS_MAX = 90;

await figure(async (ground) => {
  const data = join(ground.folder, 'data');
  const timed = async (start) => {
    const args = ['--no-walk', '--data', data, '--port-base', String(await freePortBase())];
    const started = start(args, ground);
    const seconds = await started.banner(BANNER_MS_MAX);
    await started.stop();
    return seconds;
  };
  progress(`the first start, on nothing, took ${(await timed(startWritd)).toFixed(1)} s`);
  const rounds = await inRounds(
    async () => ({ direct: await timed(startWritd), byNpm: await timed(startByNpm) }),
    MEASURING_SECONDS_MAX,
  );
  report({
    name: 'banner-warm',
    unit: 's',
    values: rounds.map(({ direct }) => direct),
    note: 'writd on existing data, until its banner',
  });
  report({
    name: 'banner-warm-npm',
    unit: 's',
    values: rounds.map(({ byNpm }) => byNpm),
    note: 'the same by `npm start`',
  });
});
