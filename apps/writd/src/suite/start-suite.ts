import { LocalPostgres } from '@writ/event-store';
import { Home, type SuiteRecord, SystemClock, type TrustDomain } from '@writ/service';
import type { Options } from '../options.js';
import type { DataFolder } from './data-folder.js';
import { definitions } from './definitions.js';
import { TOKEN_AUDIENCE, TOKEN_ISSUER } from './environment.js';
import { type Ground, layGround, postgresFolder, TRUST_DOMAIN } from './ground.js';
import { ensureOperator, renewProfile } from './operator.js';
import { authzenUrl, type Ports, portsFrom, requireFree } from './ports.js';
import { Processes } from './processes.js';
import { engineOrder, engineProgram, separatePrograms } from './programs.js';
import type { Stops } from './stops.js';
import { type Progress, type Suite, suiteServices } from './suite.js';

/** Services that lose their starter end within five seconds. */
const LEFTOVERS_MS_MAX = 10_000;

export interface StartedSuite extends Suite {
  readonly processes: Processes;
  /** The certificate authority: for enforcement points of a demo. */
  readonly trust: TrustDomain;
}

/** From an empty folder, or one that was used before, to a suite that answers. */
export async function startSuite(
  options: Options,
  folder: DataFolder,
  stops: Stops,
  progress: Progress,
  onFatal: (cause: Error) => void,
): Promise<StartedSuite> {
  const ports = portsFrom(options.portBase);
  // Not only after a crash: a start that was interrupted may have let go of the folder and not of its server.
  await LocalPostgres.endEarlier(postgresFolder(folder));
  await requireFree(
    [
      ['PostgreSQL', ports.postgres],
      ...suiteServices.map((name) => [name, ports.services[name]] as const),
      ['AuthZEN', ports.authzen],
    ],
    folder.afterCrash ? LEFTOVERS_MS_MAX : 0,
  );
  const processes = new Processes(ports, folder, onFatal);
  stops.add(() => processes.stop());
  if (!options.suite) processes.warm(engineProgram(ports));
  const named = process.env.WRIT_KAFKA_BROKERS?.split(',').filter((broker) => broker !== '') ?? [];
  const ground = await layGround({
    folder,
    ports,
    kafka: options.kafka,
    kafkaBrokers: options.kafka ? named : [],
    definitions: suiteServices.map((name) => definitions[name]),
    progress,
    stops,
  });
  // Once more, so that they end before what they stand on.
  stops.add(() => processes.stop());
  const order = () => [{ ...engineProgram(ports), order: engineOrder(ground, ports, folder) }];
  await processes.start(options.suite ? separatePrograms(ground, ports, folder) : order(), progress);
  const home = new Home(folder.path);
  const record = recordOf(options, ports, folder, ground);
  await home.saveSuite(record);
  await ensureOperator(home, record, ground.trust);
  for (const name of await home.profiles()) await renewProfile(home, name, ground.trust);
  return {
    home,
    record,
    processes,
    trust: ground.trust,
    ownerUrl: (database) => ground.postgres.url(database),
    createDatabase: (name) => ground.postgres.createDatabase(name),
    stop: () => stops.all(),
  };
}

function recordOf(options: Options, ports: Ports, folder: DataFolder, ground: Ground): SuiteRecord {
  return {
    trustDomain: TRUST_DOMAIN,
    endpoints: Object.fromEntries(suiteServices.map((name) => [name, `127.0.0.1:${ports.services[name]}`])),
    carrier: options.kafka ? 'kafka' : 'postgres',
    others: {
      issuer: TOKEN_ISSUER,
      audience: TOKEN_AUDIENCE,
      authzen: authzenUrl(ports),
      postgres: `127.0.0.1:${ports.postgres}`,
      ...(ground.kafkaBrokers.length > 0 && { kafka: ground.kafkaBrokers.join(',') }),
      siemFiles: folder.inside('siem'),
      metrics: options.suite
        ? Object.values(ports.metrics)
            .map((port) => `127.0.0.1:${port}`)
            .join(',')
        : `127.0.0.1:${ports.metrics.registry}`,
    },
    startedAt: new SystemClock().now().toISOString(),
    pid: process.pid,
  };
}
