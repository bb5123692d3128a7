import { format, inspect } from 'node:util';
import { expect, it } from '@jest/globals';
import { Secret } from './secret.js';
import { createLogger } from './telemetry.js';

const secret = new Secret('hunter2');

it.each([
  ['text', () => String(secret)],
  ['a template', () => `${secret}`],
  ['joining', () => ['a', secret].join()],
  ['JSON', () => JSON.stringify({ secret, deep: { list: [secret] } })],
  ['inspection', () => inspect({ secret }, { depth: 9, showHidden: true })],
  ['formatting', () => format('%s %o %j', secret, secret, secret)],
  ['an error', () => inspect(new Error('failed', { cause: { secret } }), { depth: 9 })],
  ['a spread', () => JSON.stringify({ ...secret })],
])('is not printed by %s', (_title, print) => {
  expect(print()).not.toContain('hunter2');
});

it('gives its value to whoever asks for it by name', () => {
  expect(secret.reveal()).toBe('hunter2');
});

it('is not logged, nor are fields whose name says that they are secret', () => {
  const lines: string[] = [];
  const log = createLogger({ service: 'vault', level: 'info' }, { write: (line) => void lines.push(line) });
  log.info({ secret, nested: { password: 'hunter2', deeper: { token: 'hunter2' } } }, 'looked');
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain('[secret]');
  expect(lines[0]).not.toContain('hunter2');
});
