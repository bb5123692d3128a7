import { resolve } from 'node:path';
import { writePrivately } from '@writ/service';
import { usage } from './cli-failure.js';
import { textAt } from './json.js';
import type { After } from './verb.js';
import { extra, type Work } from './work.js';

/**
 * Where a secret of the answer goes: a file that only its owner reads, or standard output when that was asked for. The
 * flag is checked before the call: what is shown once would be lost otherwise.
 */
export function takeSecret(work: Work, flag: string, field: string, encoding: 'base64' | 'utf8'): After {
  const path = extra(work, flag);
  if (path === undefined)
    throw usage(`\`--${flag} FILE\` is needed: the value goes there`, `--${flag} - prints it`);
  return async (answer) => {
    const value = Buffer.from(textAt(answer, field), encoding);
    if (path === '-') work.io.out.write(value);
    else await writePrivately(resolve(work.io.cwd, path), value);
  };
}
