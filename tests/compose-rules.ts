/** The house rules of containers, as pure functions over a composition, so that each can be shown to fail. */

export interface Container {
  readonly image?: string;
  readonly build?: unknown;
  readonly user?: string;
  readonly read_only?: boolean;
  readonly privileged?: boolean;
  readonly cap_drop?: readonly string[];
  readonly cap_add?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly tmpfs?: readonly string[];
  readonly pids_limit?: number;
  readonly mem_limit?: string;
  readonly stop_grace_period?: string;
  readonly restart?: string;
  readonly network_mode?: string;
  readonly container_name?: string;
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean };
  readonly logging?: { readonly driver?: string; readonly options?: Readonly<Record<string, string>> };
  readonly depends_on?: Readonly<Record<string, { readonly condition?: string }>>;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly secrets?: readonly string[];
}

export interface Composition {
  readonly services: Readonly<Record<string, Container>>;
  readonly secrets?: Readonly<Record<string, { readonly file?: string }>>;
}

export type Rule = (name: string, container: Container, all: Composition) => string | undefined;

const DRAIN_SECONDS = 5;
const GRACE_SECONDS_MIN = 2 * DRAIN_SECONDS;

/** What ends by itself, and is waited for. */
export const isJob = ({ restart }: Container) => restart === 'no';

const exactVersion: Rule = (_name, { image = '' }) =>
  /^[a-z0-9./-]+:\d+\.\d+(\.\d+)?(-[a-z0-9.]+)?(@sha256:[0-9a-f]{64})?$/.test(image)
    ? undefined
    : `\`${image}\` is no exact version`;

const plainUser: Rule = (_name, { user = '' }) =>
  /^[1-9]\d*:[1-9]\d*$/.test(user) ? undefined : `user \`${user}\` is no number above 0`;

const readOnlyRoot: Rule = (_name, { read_only, tmpfs }) =>
  read_only === true && tmpfs?.includes('/tmp')
    ? undefined
    : 'its root can be written to, or it has no `/tmp`';

const noPower: Rule = (_name, { cap_drop, cap_add, privileged, security_opt }) =>
  cap_drop?.includes('ALL') &&
  cap_add === undefined &&
  privileged === undefined &&
  security_opt?.includes('no-new-privileges:true')
    ? undefined
    : 'it has capabilities, or may gain some';

const bounded: Rule = (_name, { pids_limit = 0, mem_limit = '', logging }) =>
  pids_limit > 0 &&
  /^\d+[mg]$/.test(mem_limit) &&
  logging?.driver === 'json-file' &&
  logging.options?.['max-size'] !== undefined &&
  logging.options['max-file'] !== undefined
    ? undefined
    : 'its processes, memory or logs have no bound';

const timeToDrain: Rule = (_name, { stop_grace_period = '' }) =>
  Number(/^(\d+)s$/.exec(stop_grace_period)?.[1] ?? 0) >= GRACE_SECONDS_MIN
    ? undefined
    : 'it is killed before it has drained';

const looksAfterItself: Rule = (_name, container) => {
  if (isJob(container)) return container.healthcheck === undefined ? undefined : 'a job has no health';
  const { test = [], disable } = container.healthcheck ?? {};
  return test[0] === 'CMD' && test.length > 1 && disable !== true
    ? undefined
    : 'nobody asks whether it is healthy';
};

const loopbackOnly: Rule = (_name, { ports = [], network_mode }) =>
  network_mode !== 'host' && ports.every((port) => /^127\.0\.0\.1:\d+:\d+$/.test(port))
    ? undefined
    : 'it is published beyond 127.0.0.1';

const oneOfMany: Rule = (_name, { container_name, volumes = [] }) =>
  container_name === undefined &&
  volumes.every((volume) => !volume.startsWith('/') && !volume.includes('docker.sock'))
    ? undefined
    : 'a second stack, or the host, is in its way';

/** What a secret's name looks like, unless the name says that the value is a file, a folder, or told to everybody. */
const secretName = /PASSWORD|SECRET|TOKEN|CREDENTIAL|_KEY|DATABASE_URL|OWNER_URL/;
const openName = /_(FILE|DIR|ISSUER|AUDIENCE)$/;

const noLiteralSecret: Rule = (_name, { environment = {}, command = [] }) => {
  const named = Object.keys(environment).filter((key) => secretName.test(key) && !openName.test(key));
  const spelled = [...Object.values(environment), ...command].filter((value) =>
    /:\/\/[^/\s]*:[^/\s]*@|-----BEGIN|\b[0-9a-f]{32,}\b/.test(String(value)),
  );
  return named.length + spelled.length === 0
    ? undefined
    : `a secret stands in ${[...named, 'its values'][0]}`;
};

const waitsForTheRight: Rule = (_name, { depends_on = {} }, { services }) => {
  const wrong = Object.entries(depends_on).filter(([other, { condition }]) => {
    const awaited = services[other];
    if (awaited === undefined) return true;
    return condition !== (isJob(awaited) ? 'service_completed_successfully' : 'service_healthy');
  });
  return wrong.length === 0
    ? undefined
    : `it does not wait for ${wrong.map(([other]) => other).join(', ')} to be done or healthy`;
};

const secretsAsFiles: Rule = (_name, { secrets = [] }, all) =>
  secrets.every((secret) => /^\$\{WRIT_SECRETS(:[?-][^}]*)?\}\//.test(all.secrets?.[secret]?.file ?? ''))
    ? undefined
    : 'one of its secrets comes from elsewhere than the folder of secrets';

export const rules: Readonly<Record<string, Rule>> = {
  'runs an exact version': exactVersion,
  'runs as a numbered user that is not root': plainUser,
  'cannot write to its own image': readOnlyRoot,
  'has no capability and gains none': noPower,
  'is bounded in processes, memory and logs': bounded,
  'has time to drain': timeToDrain,
  'is asked whether it is healthy, unless it is a job': looksAfterItself,
  'is published on 127.0.0.1 only': loopbackOnly,
  'can stand beside another stack': oneOfMany,
  'has no secret in its settings': noLiteralSecret,
  'waits until a job is done and a service is healthy': waitsForTheRight,
  'gets secrets as files of one folder': secretsAsFiles,
};

export function broken(rule: Rule, all: Composition): string[] {
  return Object.entries(all.services).flatMap(([name, container]) => {
    const problem = rule(name, container, all);
    return problem === undefined ? [] : [`${name}: ${problem}`];
  });
}
