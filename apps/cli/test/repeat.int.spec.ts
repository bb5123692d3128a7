import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CliHouse, newKeys } from './cli-house.js';

const agentId = 'agt_01K41M7JG00000000000000AGT';
const id = '0199e6a0-0000-7000-8000-000000000001';
const grant = ['mandate', 'grant', '--agent', agentId, '--purpose', 'drill', '--request-id', id];

let house: CliHouse;

/** Nobody listens at any endpoint of this suite. */
beforeAll(async () => {
  house = await CliHouse.build();
  await house.home.saveSuite({
    trustDomain: 'writ.test',
    endpoints: { 'session-broker': '127.0.0.1:1', approvals: '127.0.0.1:1' },
    carrier: 'postgres',
    others: { issuer: 'https://broker.writ.test' },
    startedAt: '2026-09-01T08:00:00.000Z',
    pid: process.pid,
  });
  await house.saveProfile('operator', agentId, newKeys());
});

afterAll(async () => house?.stop());

const nextOf = async (argv: readonly string[]) => {
  const { code, err } = await house.writ(argv);
  expect(code).toBe(8);
  return /^next: (.*)$/m.exec(err)?.[1] ?? '';
};
const expireTimeOf = async (argv: readonly string[]) => (await house.json([...argv, '--dry-run'])).expireTime;

describe('how a change that got no answer is repeated', () => {
  it('with its request id, where it would be the same request', async () =>
    expect(await nextOf([...grant, '--expires', '2030-01-01T00:00:00Z'])).toBe(
      `writ status; then repeat with --request-id ${id}`,
    ));

  it('with the time that was sent, where it was counted from now: 1h is another time by then', async () => {
    const next = await nextOf([...grant, '--expires', '1h']);
    const [, time = ''] =
      /^writ status; then repeat with --request-id \S+ and (\S+) in place of `1h`$/.exec(next) ?? [];
    expect(new Date(time).getTime() - Date.now()).toBeLessThanOrEqual(3_600_000);
    expect(await expireTimeOf([...grant, '--expires', time])).toBe(time);
  });

  it('with the time that was sent also where a file counts it, unless a flag has another', async () => {
    const file = await house.file('mandate.yaml', 'expire_time: 4h\n');
    expect(await nextOf([...grant, '-f', file])).toMatch(/ and \S+Z in place of `4h`$/);
    expect(await nextOf([...grant, '-f', file, '--expires', '2030-01-01T00:00:00Z'])).toMatch(
      new RegExp(`--request-id ${id}$`),
    );
  });

  it.each([
    ['session open', ['--mandate', 'mdt_01K41M7JG00000000000000MDT', '--task', 'drill']],
    ['approval approve', ['apr_01K41M7JG00000000000000APR', '--yes']],
    ['approval deny', ['apr_01K41M7JG00000000000000APR', '--reason', 'drill', '--yes']],
  ])('not by the request id of `%s`, which is signed anew each time', async (title, flags) => {
    const [noun = ''] = title.split(' ');
    const next = await nextOf([...title.split(' '), ...flags, '--request-id', id]);
    expect(next).toBe(
      `writ status; then writ ${noun} list, and repeat only what was not done: it is signed anew`,
    );
  });
});
