import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { access, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const JAVA_VERSION_MIN = 17;
const JAVA_HINT = `Apache Kafka needs Java ${JAVA_VERSION_MIN} or newer; install it, or name a running broker instead`;
const MAVEN_HINT =
  'Apache Kafka needs Maven (`mvn`) to fetch its jars once; install it, or name a running broker instead';

/**
 * The folder with Kafka's jars, fetched by Maven from what `deploy/kafka/pom.xml` names when it is not there
 * yet. Many processes may ask at once: each fetches into a folder of its own, and the first to rename it
 * wins.
 * @throws Error of one line when Java or Maven is missing
 */
export async function kafkaJars(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  await checkJava(env);
  const root = repositoryRoot(import.meta.dirname);
  const pom = join(root, 'deploy/kafka/pom.xml');
  const version = /<kafka\.version>([^<]+)</.exec(await readFile(pom, 'utf8'))?.[1];
  if (version === undefined) throw new Error(`\`${pom}\` names no kafka.version`);
  const cache = join(root, 'node_modules/.cache/writ-kafka');
  const jars = join(cache, version);
  if (await exists(jars)) return jars;
  await mkdir(cache, { recursive: true });
  const fetched = await mkdtemp(join(cache, '.fetching-'));
  try {
    await fetchJars(pom, fetched, env);
    await rename(fetched, jars);
  } catch (error) {
    if (!(await exists(jars))) throw error;
  } finally {
    await rm(fetched, { recursive: true, force: true });
  }
  return jars;
}

async function fetchJars(pom: string, folder: string, env: NodeJS.ProcessEnv): Promise<void> {
  const goal = ['dependency:copy-dependencies', `-DoutputDirectory=${folder}`, '-DincludeScope=runtime'];
  try {
    await run('mvn', ['-q', '-B', '-f', pom, ...goal], { env });
  } catch (error) {
    if (isMissing(error)) throw new Error(MAVEN_HINT, { cause: error });
    const said = `${typeof error === 'object' && error !== null && 'stdout' in error ? error.stdout : error}`;
    const [first] = said.split('\n').filter((line) => line.includes('[ERROR]'));
    throw new Error(`Maven could not fetch Kafka's jars: ${first ?? said}`, { cause: error });
  }
}

async function checkJava(env: NodeJS.ProcessEnv): Promise<void> {
  let said: string;
  try {
    said = (await run('java', ['-version'], { env })).stderr;
  } catch (error) {
    throw new Error(JAVA_HINT, { cause: error });
  }
  const version = Number(/version "(\d+)/.exec(said)?.[1] ?? 0);
  if (version < JAVA_VERSION_MIN) throw new Error(`${JAVA_HINT} (found ${version})`);
}

function repositoryRoot(from: string): string {
  if (existsSync(join(from, 'deploy/kafka/pom.xml'))) return from;
  const parent = dirname(from);
  if (parent === from) throw new Error('`deploy/kafka/pom.xml` is in no folder above this package');
  return repositoryRoot(parent);
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'ENOENT';
}
