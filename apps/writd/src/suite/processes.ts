import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { DataFolder } from './data-folder.js';
import type { EngineOrder, Environment } from './environment.js';
import type { Ports } from './ports.js';
import { Readiness } from './readiness.js';
import type { Progress, SuiteService } from './suite.js';

const READY_MS_MAX = 60_000;
const STOP_MS_MAX = 6_000;

/** One process of a suite: a single service, or `writd`'s engine with all six. */
export interface Program {
  readonly name: string;
  /** The module it runs. */
  readonly main: string;
  readonly environment: Environment;
  readonly services: readonly SuiteService[];
  /** What it waits to be told before it does anything. */
  readonly order?: EngineOrder;
}

/**
 * The processes of a suite. Each has a log file of its own and ends when we do, however we end: the channel between us
 * closes then.
 */
export class Processes {
  programs: readonly Program[] = [];
  readonly #children = new Map<string, ChildProcess>();

  constructor(
    private readonly ports: Ports,
    private readonly folder: DataFolder,
    /** Told when one ends that nobody stopped. */
    private readonly onExit: (cause: Error) => void,
  ) {}

  /** Starts a program that waits for its order: it loads while what it will stand on is made. */
  warm(program: Omit<Program, 'order'>): void {
    this.#spawn(program);
  }

  async start(programs: readonly Program[], progress: Progress): Promise<void> {
    this.programs = programs;
    for (const program of programs) {
      if (!this.#children.has(program.name)) this.#spawn(program);
      this.#tell(program);
    }
    for (const program of this.programs) {
      await this.#ready(program);
      for (const service of program.services) {
        progress(
          `${service} on 127.0.0.1:${this.ports.services[service]}, process ${this.pid(program.name)}`,
        );
      }
    }
  }

  pid(name: string): number {
    const pid = this.#children.get(name)?.pid;
    if (pid === undefined) throw new Error(`\`${name}\` is not running`);
    return pid;
  }

  /** What a crash does: no farewell. */
  async kill(name: string): Promise<void> {
    await this.#end(name, 'SIGKILL');
  }

  /** Starts a program that was killed, on the same data and ports. */
  async startAgain(name: string): Promise<void> {
    const program = this.programs.find((known) => known.name === name);
    if (program === undefined) throw new Error(`no program \`${name}\``);
    this.#spawn(program);
    this.#tell(program);
    await this.#ready(program);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#children.keys()].map((name) => this.#end(name, 'SIGTERM')));
  }

  async #ready({ name, services }: Program): Promise<void> {
    for (const service of services) await this.#serving(name, service);
  }

  async #serving(name: string, service: SuiteService): Promise<void> {
    const address = `127.0.0.1:${this.ports.services[service]}`;
    const readiness = new Readiness();
    for (let waitedMs = 0; waitedMs < READY_MS_MAX; waitedMs += 50) {
      const child = this.#children.get(name);
      if (child === undefined || child.exitCode !== null)
        throw new Error(`\`${name}\` did not start: ${this.#lastWords(name)}`);
      if (await readiness.isServing(this.folder.inside('identities', service), address, service)) return;
      await delay(50);
    }
    throw new Error(`\`${service}\` was not ready within ${READY_MS_MAX / 1000} s: ${this.#lastWords(name)}`);
  }

  #tell({ name, order }: Program): void {
    if (order !== undefined) this.#children.get(name)?.send(order);
  }

  #spawn({ name, main, environment }: Omit<Program, 'order'>): void {
    const otel = fileURLToPath(import.meta.resolve('@writ/service/otel.js'));
    const log = openSync(this.#logFile(name), 'a', 0o600);
    const child = spawn(process.execPath, ['--enable-source-maps', '--import', otel, main], {
      env: {
        ...inherited(),
        ...environment,
        OTEL_SERVICE_NAME: name,
        NODE_COMPILE_CACHE: this.folder.inside('compiled'),
      },
      stdio: ['ignore', log, log, 'ipc'],
      // An interrupt of the terminal is for writd, which stops everything in order.
      detached: true,
    });
    closeSync(log);
    this.#children.set(name, child);
    child.once('exit', (code, signal) => {
      if (this.#children.get(name) !== child) return;
      this.onExit(
        new Error(`\`${name}\` ended by itself (${signal ?? `code ${code}`}): ${this.#lastWords(name)}`),
      );
    });
  }

  async #end(name: string, signal: NodeJS.Signals): Promise<void> {
    const child = this.#children.get(name);
    this.#children.delete(name);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
    await exited;
    clearTimeout(timer);
  }

  #logFile(name: string): string {
    return `${this.folder.folder('logs')}/${name}.log`;
  }

  #lastWords(name: string): string {
    return readFileSync(this.#logFile(name), 'utf8').trim().split('\n').slice(-3).join(' | ');
  }
}

/** Nothing of ours but what telemetry is told by its standard variables. */
function inherited(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => name === 'PATH' || name.startsWith('OTEL_')),
  );
}
