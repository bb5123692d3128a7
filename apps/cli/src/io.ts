import { createInterface } from 'node:readline';
import { buffer } from 'node:stream/consumers';
import { type Clock, SystemClock } from '@writ/service';
import { exitCodes } from './exit-codes.js';

export interface Sink {
  /** Whether a person looks at it. */
  readonly tty: boolean;
  /** Text, or bytes as they are. */
  write(content: string | Uint8Array): void;
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
  for (const stream of [stdout, stderr]) stream.on('error', endUnread);
  return {
    out: { tty: stdout.isTTY === true, write: (content) => stdout.write(content) },
    err: { tty: stderr.isTTY === true, write: (content) => stderr.write(content) },
    input: { tty: stdin.isTTY === true, read: () => buffer(stdin), line: () => firstLine(stdin) },
    env: process.env,
    cwd: process.cwd(),
    clock: new SystemClock(),
  };
}

/** A reader that has seen enough (`| head`) is no failure of ours, but 0 would say of a denied action that it is allowed. */
function endUnread(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(exitCodes.unread);
  throw error;
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
