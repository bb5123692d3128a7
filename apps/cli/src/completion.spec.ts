import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writ } from '../test/writ.js';

let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'writ-completion-'));
  writeFileSync(join(folder, 'writ.bash'), (await writ(['completion', 'bash'])).out);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What bash offers when Tab is pressed at the end of `line`. */
function offered(line: string): string[] {
  const words = line.split(' ');
  const script = `source ${join(folder, 'writ.bash')}
    COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
    _writ; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return execFileSync('bash', ['-c', script], { encoding: 'utf8' })
    .split('\n')
    .filter((word) => word !== '');
}

describe('completion', () => {
  it('offers nouns and verbs that stand alone', () => {
    expect(offered('writ ag')).toEqual(['agent']);
    expect(offered('writ d')).toEqual(['delegation', 'decision', 'decide', 'database-role', 'doctor']);
  });
  it('offers the verbs of a noun', () =>
    expect(offered('writ agent re')).toEqual(['register', 'reinstate', 'retire']));
  it('offers the flags of a verb and those of every command', () => {
    expect(offered('writ agent list --s')).toEqual(['--state', '--sponsor', '--show-api']);
    expect(offered('writ --profile ops agent list --own')).toEqual(['--owner']);
  });
  it('offers the values that the contract leaves', () => {
    expect(offered('writ agent list --state a')).toEqual(['awaiting-attestation', 'active']);
    expect(offered('writ agent list -o j')).toEqual(['json', 'jsonl']);
  });
  it('offers the shells', () => expect(offered('writ completion z')).toEqual(['zsh']));

  it.each(['zsh', 'fish', 'powershell'])('is written for %s too', async (shell) => {
    const { code, out } = await writ(['completion', shell]);
    expect(code).toBe(0);
    expect(out).toContain('approval');
    expect(out).toContain('awaiting-attestation');
  });
  it('says which shells there are', async () => {
    const { code, err } = await writ(['completion', 'tcsh']);
    expect(code).toBe(64);
    expect(err).toContain('bash, zsh, fish, powershell');
  });
});
