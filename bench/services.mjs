// Services of the suite as processes of their own on a durable PostgreSQL, facts through the Postgres carrier: what
// `npm run suite` starts, without Kafka and with only those services that a figure needs.
import { formatSpiffeId, Home, Identity, newMaterial, SystemClock } from '@writ/service';
import { clientsOf } from '@writ/writd/suite/clients.js';
import { DataFolder } from '@writ/writd/suite/data-folder.js';
import { definitions } from '@writ/writd/suite/definitions.js';
import { TOKEN_AUDIENCE, TOKEN_ISSUER } from '@writ/writd/suite/environment.js';
import { layGround, TRUST_DOMAIN } from '@writ/writd/suite/ground.js';
import { ensureOperator } from '@writ/writd/suite/operator.js';
import { authzenUrl, portsFrom } from '@writ/writd/suite/ports.js';
import { Processes } from '@writ/writd/suite/processes.js';
import { separatePrograms } from '@writ/writd/suite/programs.js';
import { Stops } from '@writ/writd/suite/stops.js';
import { suiteServices } from '@writ/writd/suite/suite.js';
import { memberOf } from '@writ/writd/walk/cast.js';
import { profiling } from './companion.mjs';
import { freePortBase } from './ground.mjs';

const POINT_CERTIFICATE_SECONDS = 24 * 60 * 60;

export { suiteServices };

/**
 * Lays the ground in the figure's folder: database, schemas, trust domain, certificates. Nothing runs yet but PostgreSQL.
 */
export async function layServices({ folder: path, onEnd }) {
  const folder = DataFolder.open(path);
  onEnd(async () => folder.release());
  const ports = portsFrom(await freePortBase());
  const stops = new Stops();
  onEnd(() => stops.all());
  const ground = await layGround({
    folder,
    ports,
    kafka: false,
    kafkaBrokers: [],
    definitions: suiteServices.map((name) => definitions[name]),
    progress: () => undefined,
    stops,
  });
  const record = {
    trustDomain: TRUST_DOMAIN,
    endpoints: Object.fromEntries(suiteServices.map((name) => [name, `127.0.0.1:${ports.services[name]}`])),
    carrier: 'postgres',
    others: { issuer: TOKEN_ISSUER, audience: TOKEN_AUDIENCE, authzen: authzenUrl(ports) },
    startedAt: new SystemClock().now().toISOString(),
    pid: process.pid,
  };
  return { folder, ports, ground, record, home: new Home(path) };
}

/** Starts services; `settings` are laid over the environment of each, by its name. */
export async function startServices(laid, names, { onEnd }, settings = {}) {
  const { folder, ports, ground } = laid;
  const programs = separatePrograms(ground, ports, folder)
    .filter(({ name }) => names.includes(name))
    .map((program) => ({
      ...program,
      environment: { ...program.environment, ...profiling(), ...settings[program.name] },
    }));
  const processes = new Processes(ports, folder, (cause) => {
    process.stderr.write(`${cause.message}\n`);
    process.kill(process.pid, 'SIGTERM');
  });
  onEnd(() => processes.stop());
  await processes.start(programs, () => undefined);
  return processes;
}

/** The operator of a running suite, with every role. */
export async function operatorOf({ home, record, ground }, { onEnd }) {
  await home.saveSuite(record);
  await ensureOperator(home, record, ground.trust);
  const operator = await memberOf(home, record, 'operator');
  onEnd(async () => operator.clients.close());
  return operator;
}

/** What an enforcement point presents. */
export function pointMaterial({ ground }, id) {
  const spiffeId = formatSpiffeId({ trustDomain: TRUST_DOMAIN, kind: 'enforcement-point', id });
  return newMaterial({ trustDomain: ground.trust, spiffeId, ttlSeconds: POINT_CERTIFICATE_SECONDS });
}

export async function pointClients(laid, id, { onEnd }) {
  const identity = new Identity(await pointMaterial(laid, id));
  const clients = clientsOf(laid.record, identity);
  onEnd(async () => clients.close());
  return clients;
}
