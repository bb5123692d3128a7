import { parseArgs } from 'node:util';

/** What `writd` was asked to do. */
export interface Options {
  readonly dataDir: string;
  /** Every service as a process of its own, facts on Kafka. */
  readonly suite: boolean;
  readonly kafka: boolean;
  /** Ends after the walk, with 0 only when every step held. */
  readonly once: boolean;
  readonly walk: boolean;
  /** Services listen on the ports right above it, PostgreSQL and metrics on those after; Kafka takes any that are free. */
  readonly portBase: number;
  readonly help: boolean;
}

const spec = {
  data: { type: 'string', default: '.writ' },
  suite: { type: 'boolean', default: false },
  kafka: { type: 'boolean', default: false },
  once: { type: 'boolean', default: false },
  'no-walk': { type: 'boolean', default: false },
  'port-base': { type: 'string', default: '7400' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

export const usage = `writd: the whole of Writ on one machine, for trying it out

  npm start                          all services in one process, PostgreSQL inside
  npm run suite                      each service as a process of its own, facts on Apache Kafka

  --once          walk through the main job and end; exit code 0 only when every step held
  --no-walk       start without the walk
  --kafka         facts on Apache Kafka: brokers from WRIT_KAFKA_BROKERS, else one started from Maven's jars
  --data DIR      where everything is kept (default .writ); the next start goes on from there
  --port-base N   ports N+1 to N+20 on 127.0.0.1 (default 7400)

Not for production: one machine, one operator, keys in files.
`;

/** @throws Error in one line for an unknown or malformed option */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({ args: [...args], options: spec, allowPositionals: false });
  const portBase = Number(values['port-base']);
  if (!Number.isInteger(portBase) || portBase < 1024 || portBase > 65_500) {
    throw new Error(`--port-base must be a whole number from 1024 to 65500`);
  }
  return {
    dataDir: values.data,
    suite: values.suite,
    kafka: values.kafka || values.suite,
    once: values.once,
    walk: !values['no-walk'],
    portBase,
    help: values.help,
  };
}
