import { createInterface } from 'node:readline';
import { buffer } from 'node:stream/consumers';
import { type Clock, SystemClock } from '@writ/service';

export interface Sink {
  /** Whether a person looks at it. */
  readonly tty: boolean;
  write(text: string): void;
}

/** Everything outside the command: its streams, environment, folder and clock. */
export interface Io {
  /** Data, and nothing else. */
  readonly out: Sink;
  /** Hints, progress, questions, errors. */
  readonly err: Sink;
  readonly input: {
    readonly tty: boolean;
    /** Everything up to the end. */
    read(): Promise<Buffer>;
    /** One line, without its end; empty at the end of the input. */
    line(): Promise<string>;
  };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly clock: Clock;
}

export function processIo(): Io {
  const { stdin, stdout, stderr } = process;
  // A reader that has seen enough (`| head`) is no failure of ours.
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  return {
    out: { tty: stdout.isTTY === true, write: (text) => stdout.write(text) },
    err: { tty: stderr.isTTY === true, write: (text) => stderr.write(text) },
    input: { tty: stdin.isTTY === true, read: () => buffer(stdin), line: () => firstLine(stdin) },
    env: process.env,
    cwd: process.cwd(),
    clock: new SystemClock(),
  };
}

function firstLine(input: NodeJS.ReadableStream): Promise<string> {
  return new Promise((resolve) => {
    const lines = createInterface({ input });
    lines.once('line', (line) => {
      resolve(line);
      lines.close();
    });
    lines.once('close', () => resolve(''));
  });
}
