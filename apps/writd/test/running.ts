import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const main = join(process.cwd(), 'apps/writd/dist/main.js');

/** A folder of a test's own that the database's user can enter. */
export function newFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'writ-e2e-'));
  chmodSync(path, 0o755);
  return { path: join(path, 'data'), remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** A base with twenty free ports above it. */
export async function freePortBase(from = 20_000 + (process.pid % 200) * 100): Promise<number> {
  for (let base = from; base < 60_000; base += 100) {
    const taken = await Promise.all(Array.from({ length: 20 }, (_, n) => isTaken(base + 1 + n)));
    if (!taken.includes(true)) return base;
  }
  throw new Error('no free ports');
}

export function isTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(true));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(false)));
  });
}

/** The real `writd`, as its own process, from the outside. */
export class Writd {
  output = '';
  errors = '';
  readonly #child: ChildProcess;
  readonly #exit: Promise<number | string>;

  constructor(args: readonly string[]) {
    this.#child = spawn(process.execPath, ['--enable-source-maps', main, ...args], {
      env: { PATH: process.env.PATH },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child.stdout?.on('data', (chunk) => {
      this.output += chunk;
    });
    this.#child.stderr?.on('data', (chunk) => {
      this.errors += chunk;
    });
    this.#exit = new Promise((resolve) =>
      this.#child.once('exit', (code, signal) => resolve(code ?? signal ?? -1)),
    );
  }

  /** Waits until `text` is printed. */
  async says(text: string, withinMs = 120_000): Promise<void> {
    for (let waitedMs = 0; waitedMs < withinMs; waitedMs += 50) {
      if (this.output.includes(text)) return;
      if (this.#child.exitCode !== null) break;
      await delay(50);
    }
    throw new Error(`writd never said "${text}": ${this.output.slice(-2000)} ${this.errors}`);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Its exit code, or the signal that ended it. */
  ended(): Promise<number | string> {
    return this.#exit;
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.signal('SIGINT');
    await this.#exit;
  }
}
