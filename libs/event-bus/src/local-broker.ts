import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from '@writ/event-store';
import { logLevel } from 'kafkajs';
import { kafkaJars } from './kafka-jars.js';
import { Kafka } from './kafkajs-guard.js';

const run = promisify(execFile);
/** 16 bytes in base64url, as KRaft wants its cluster id; every local broker is a cluster of its own. */
const CLUSTER_ID = Buffer.from('writ-local-kafka').toString('base64url');
const READY_MS_MAX = 60_000;
const STOP_MS_MAX = 10_000;
const START_ATTEMPTS = 3;
const LOG_LINES_SHOWN = 5;

// Waits until this process ends, however it ends; then nobody would stop the broker.
const reaperScript = `
trap '' INT TERM HUP
read word
[ "$word" = done ] && exit
kill -TERM "$1"
tries=0
while kill -0 "$1" && [ $tries -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
kill -KILL "$1"
`;

/**
 * One Apache Kafka node on 127.0.0.1, broker and controller in one process: for tests and for a single
 * machine.
 */
export class LocalBroker {
  private process: ChildProcess | undefined;
  private reaper: ChildProcess | undefined;

  private constructor(
    private readonly folder: string,
    private readonly jars: string,
    private port: number,
    private controllerPort: number,
  ) {}

  /**
   * Starts a node on the data in `folder`, which is made when it is missing. Ready when this resolves.
   * @throws Error of one line when Java or Maven is missing, or with the end of the node's log when it does not start
   */
  static async start(folder: string): Promise<LocalBroker> {
    const jars = await kafkaJars();
    await mkdir(folder, { recursive: true });
    for (let attempt = 1; ; attempt += 1) {
      const broker = new LocalBroker(folder, jars, await freePort(), await freePort());
      try {
        await broker.startAgain();
        return broker;
      } catch (error) {
        // A free port may be taken again before the node binds it.
        if (attempt === START_ATTEMPTS || !String(error).includes('Address already in use')) throw error;
      }
    }
  }

  get brokers(): string[] {
    return [`127.0.0.1:${this.port}`];
  }

  /** For signals: SIGSTOP freezes the node. */
  get pid(): number {
    if (this.process?.pid === undefined) throw new Error('the Kafka node is not running');
    return this.process.pid;
  }

  /** Starts a node that was killed or stopped, on the same data and ports. */
  async startAgain(): Promise<void> {
    const properties = join(this.folder, 'server.properties');
    await writeFile(properties, this.properties());
    const classPath = ['-cp', join(this.jars, '*')];
    if (!existsSync(join(this.folder, 'data/meta.properties')))
      await run('java', [
        ...classPath,
        'kafka.tools.StorageTool',
        'format',
        ...['-t', CLUSTER_ID, '-c', properties],
      ]);
    const log = await open(join(this.folder, 'kafka.log'), 'w');
    try {
      const options = [
        '-Xmx512m',
        '-XX:+UseSerialGC',
        '-XX:TieredStopAtLevel=1',
        '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
      ];
      this.process = spawn('java', [...options, ...classPath, 'kafka.Kafka', properties], {
        stdio: ['ignore', log.fd, log.fd],
        // An interrupt at the terminal is for us; the node stops after its clients.
        detached: true,
      });
    } finally {
      await log.close();
    }
    this.process.unref();
    this.reaper = reap(this.pid);
    try {
      await this.ready();
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  /** What a crash does: no farewell, and only what the operating system already holds remains. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** Asks the node to stop, and kills it when it has not after 10 s. */
  async stop(): Promise<void> {
    await this.end('SIGTERM');
  }

  private async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const { process, reaper } = this;
    this.process = undefined;
    this.reaper = undefined;
    reaper?.stdin?.end('done\n');
    if (process === undefined || ended(process)) return;
    const exited = new Promise<void>((resolve) => process.once('exit', () => resolve()));
    process.ref();
    process.kill(signal);
    const timer = setTimeout(() => process.kill('SIGKILL'), STOP_MS_MAX);
    await exited;
    clearTimeout(timer);
  }

  /** Ready is who answers, not who logs. */
  private async ready(): Promise<void> {
    const kafka = new Kafka({ brokers: this.brokers, logLevel: logLevel.NOTHING, connectionTimeout: 1_000 });
    const giveUpAtMs = performance.now() + READY_MS_MAX;
    for (;;) {
      const admin = kafka.admin({ retry: { retries: 0 } });
      try {
        await admin.connect();
        const { brokers } = await admin.describeCluster();
        if (brokers.length === 1) return;
      } catch (error) {
        const { process } = this;
        if (process === undefined || ended(process) || performance.now() > giveUpAtMs)
          throw new Error(`the Kafka node did not start: ${await this.logEnd()}`, { cause: error });
      } finally {
        await admin.disconnect();
      }
      await delay(100);
    }
  }

  private async logEnd(): Promise<string> {
    const lines = (await readFile(join(this.folder, 'kafka.log'), 'utf8')).trim().split('\n');
    const telling = lines.filter((line) => /ERROR|Exception|in use/.test(line));
    return (telling.length > 0 ? telling : lines).slice(-LOG_LINES_SHOWN).join(' | ');
  }

  private properties(): string {
    return Object.entries({
      'process.roles': 'broker,controller',
      'node.id': 1,
      'controller.quorum.voters': `1@127.0.0.1:${this.controllerPort}`,
      listeners: `PLAINTEXT://127.0.0.1:${this.port},CONTROLLER://127.0.0.1:${this.controllerPort}`,
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      'controller.listener.names': 'CONTROLLER',
      'log.dirs': join(this.folder, 'data'),
      'offsets.topic.replication.factor': 1,
      'offsets.topic.num.partitions': 4,
      'transaction.state.log.replication.factor': 1,
      'transaction.state.log.min.isr': 1,
      'share.coordinator.state.topic.replication.factor': 1,
      'share.coordinator.state.topic.min.isr': 1,
      'min.insync.replicas': 1,
      'auto.create.topics.enable': false,
      'group.initial.rebalance.delay.ms': 0,
      // After a crash the controller, which is this node too, refuses the node until its old session has
      // ended.
      'broker.session.timeout.ms': 2_000,
      'broker.heartbeat.interval.ms': 500,
    })
      .map(([name, value]) => `${name}=${value}\n`)
      .join('');
  }
}

function ended(process: ChildProcess): boolean {
  return process.exitCode !== null || process.signalCode !== null;
}

function reap(pid: number): ChildProcess {
  const reaper = spawn('/bin/sh', ['-c', reaperScript, 'reaper', String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  reaper.unref();
  // The shell may be gone before us.
  reaper.stdin.on('error', () => undefined);
  if ('unref' in reaper.stdin && typeof reaper.stdin.unref === 'function') reaper.stdin.unref();
  return reaper;
}
