import { SystemClock } from '@writ/service';
import { main } from '../src/cli.js';
import type { Io } from '../src/io.js';

/** How one command line ended. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Wish {
  readonly input?: string;
  /** Lines that a person types. */
  readonly typed?: string;
  readonly tty?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** How far the clock of this machine is ahead. */
  readonly aheadMs?: number;
}

/** Runs a command line in this process, with streams of its own. */
export async function writ(argv: readonly string[], wish: Wish = {}): Promise<Ran> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  const io: Io = {
    out: { tty: wish.tty === true, write: (content) => void out.push(Buffer.from(content)) },
    err: { tty: wish.tty === true, write: (content) => void err.push(Buffer.from(content)) },
    input: {
      tty: wish.typed !== undefined,
      read: async () => Buffer.from(wish.input ?? ''),
      line: async () => wish.typed ?? '',
    },
    env: wish.env ?? {},
    cwd: wish.cwd ?? '/',
    clock: new AheadClock(wish.aheadMs ?? 0),
  };
  const code = await main(argv, io);
  return { code, out: Buffer.concat(out).toString(), err: Buffer.concat(err).toString() };
}

class AheadClock extends SystemClock {
  constructor(private readonly aheadMs: number) {
    super();
  }

  override now(): Date {
    return new Date(super.now().getTime() + this.aheadMs);
  }
}
