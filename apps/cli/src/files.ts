import { readdir, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { parse } from 'yaml';
import { CliFailure, usage } from './cli-failure.js';
import { exitCodes } from './exit-codes.js';
import type { Io } from './io.js';
import type { Json } from './json.js';

const bytesMax = 1024 * 1024;

/** Files that flags name. `-` is standard input, and can be read once. */
export class Files {
  #inputRead = false;

  constructor(private readonly io: Pick<Io, 'input' | 'cwd'>) {}

  /** At most 1 MiB. Errors name the file and never its content. */
  async read(path: string): Promise<Buffer> {
    const bytes = path === '-' ? await this.#input() : await this.#file(path);
    if (bytes.length > bytesMax)
      throw new CliFailure(exitCodes.invalid, `\`${path}\` has more than ${bytesMax} bytes`);
    return bytes;
  }

  async text(path: string): Promise<string> {
    return (await this.read(path)).toString('utf8');
  }

  /** JSON or YAML 1.2. */
  async document(path: string): Promise<Json> {
    const text = await this.text(path);
    try {
      return parse(text, { prettyErrors: false }) as Json;
    } catch (cause) {
      throw new CliFailure(exitCodes.invalid, `\`${path}\` is neither JSON nor YAML`, { cause });
    }
  }

  /** Names of what is in a folder, sorted by their characters; none where there is no such folder. */
  async names(path: string): Promise<readonly string[]> {
    try {
      return (await readdir(resolve(this.io.cwd, path))).sort();
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw new CliFailure(exitCodes.usage, `the folder \`${path}\` cannot be read`, { cause });
    }
  }

  async #input(): Promise<Buffer> {
    if (this.#inputRead) throw usage('standard input can be read by one flag only');
    this.#inputRead = true;
    return this.io.input.read();
  }

  async #file(path: string): Promise<Buffer> {
    try {
      return await readFile(resolve(this.io.cwd, path));
    } catch (cause) {
      throw new CliFailure(exitCodes.usage, `\`${path}\` cannot be read`, { cause });
    }
  }
}
