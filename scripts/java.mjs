// Apache Kafka needs Java 17 or later, and Maven brings its jars.
import { run, say } from './bootstrap.mjs';

const packages = ['openjdk-17-jre-headless', 'maven'];

/** Finds Java and Maven, installs them with the system's package manager where it may. Never throws. */
export async function prepareJava() {
  if (await present()) return { ok: true };
  const what = 'install Java 17 or later and Maven';
  if (process.getuid?.() !== 0 || (await run('apt-get', ['--version'], { quiet: true })).code !== 0) {
    return { ok: false, reason: `${what} (on Debian and Ubuntu: apt-get install ${packages.join(' ')})` };
  }
  say(`  installing ${packages.join(' and ')} with apt-get`);
  await run('apt-get', ['update', '-q'], { quiet: true });
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const { code, output } = await run(
    'apt-get',
    ['install', '-y', '-q', '--no-install-recommends', ...packages],
    { quiet: true, env },
  );
  if (code !== 0) say(output);
  return (await present()) ? { ok: true } : { ok: false, reason: what };
}

async function present() {
  const java = await run('java', ['-version'], { quiet: true });
  const major = Number(/version "(\d+)/.exec(java.output)?.[1] ?? 0);
  return java.code === 0 && major >= 17 && (await run('mvn', ['-v'], { quiet: true })).code === 0;
}
