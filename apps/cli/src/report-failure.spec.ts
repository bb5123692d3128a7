import { describe, expect, it } from '@jest/globals';
import { Refusal } from '@writ/kernel';
import { toWire } from '@writ/service/errors.js';
import { CliFailure, invalid, usage } from './cli-failure.js';
import { nowhere, reportFailure } from './report-failure.js';

const scene = { ...nowhere, title: 'agent get' };

function reported(error: unknown, format: 'table' | 'json' = 'table'): { code: number; err: string } {
  const err: string[] = [];
  const code = reportFailure(
    error,
    { err: { tty: false, write: (text) => void err.push(String(text)) } },
    { format },
    scene,
  );
  return { code, err: err.join('') };
}

describe('what a command says when it fails', () => {
  it('1: a bug is an internal error and shows where', () => {
    const { code, err } = reported(new Error('boom'));
    expect(code).toBe(1);
    expect(err).toMatch(/^writ agent get: internal error: Error: boom\n {4}at /);
  });
  it('names the next command', () =>
    expect(reported(usage('`--x` is wrong', 'writ agent --help'))).toEqual({
      code: 64,
      err: 'writ agent get: `--x` is wrong\nnext: writ agent --help\n',
    }));
  it('names every bad field', () => {
    const fields = ['a', 'b'].map((field) => ({ field, description: 'is required' }));
    expect(reported(invalid('`x.yaml`', fields))).toEqual({
      code: 3,
      err: 'writ agent get: `x.yaml` is not valid: `a` is required (and 1 more)\n  a: is required\n  b: is required\n',
    });
  });
  it('is a google.rpc.Status for programs, also when no service was asked', () => {
    const fields = [{ field: 'purpose', description: 'is required' }];
    expect(JSON.parse(reported(invalid('`x.yaml`', fields), 'json').err)).toEqual({
      code: 3,
      message: '`x.yaml` is not valid: `purpose` is required',
      details: [
        { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'INVALID', domain: 'writ-cli' },
        { '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: fields },
      ],
    });
  });
  it.each([
    ['CALLER_NOT_ALLOWED', 'next: use a profile that may: --profile NAME\n'],
    ['DELEGATION_WIDENS', ''],
  ])('advises another profile only where another may: %s', (code, next) => {
    const wire = toWire(new Refusal(code, 'forbidden', 'no'), 'c1');
    const refused = Object.assign(new Error(wire.details), wire);
    expect(reported(refused).err).toBe(`writ agent get: no (${code})\n${next}call: c1\n`);
  });
  it('lets no message steer the terminal', () =>
    expect(reported(new CliFailure(6, 'no \u001b[2J')).err).toBe('writ agent get: no \\u{1b}[2J\n'));
});
