import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RegistrySettings, registryService } from '../../registry/src/registry.module.js';
import { allRoles, CliHouse, newKeys } from './cli-house.js';

let house: CliHouse;

beforeAll(async () => {
  house = await CliHouse.build();
  const own = new RegistrySettings({ trustDomainDir: house.world.trustDomainDir });
  const registry = await house.world.service(registryService, { own });
  await house.saveSuite([registry]);
  await house.addOperator(registry, allRoles);
});

afterAll(async () => house?.stop());

const registration = (name: string, sponsor = house.operatorId) => [
  ...['agent', 'register', '--name', name, '--builder', 'b', '--owner', 'o', '--sponsor', sponsor],
  ...['--purpose', 'p', '--environment', 'staging', '--sensitivity', 'internal'],
];
const keyOf = (profile: string) =>
  readFile(join(house.home.folder, 'profiles', profile, 'signing.key'), 'utf8');

describe('a profile', () => {
  it('is made with the agent, and is usable once it has a certificate', async () => {
    const registered = await house.writ([...registration('One'), '-o', 'json']);
    const { agentId } = JSON.parse(registered.out);
    expect(registered.out).not.toContain((await keyOf('one')).split('\n')[1]);
    const early = await house.writ(['agent', 'get', agentId, '--profile', 'one']);
    expect(early.code).toBe(5);
    expect(early.err).toContain('profile `one` has no certificate yet');
    expect((await house.writ(['certificate', 'issue', agentId])).err).toContain('--profile one');
    expect((await house.writ(['agent', 'get', agentId, '--profile', 'one'])).code).toBe(0);
  });

  it('is never overwritten', async () => {
    const before = await keyOf('one');
    const { code, err } = await house.writ(registration('One'));
    expect(code).toBe(7);
    expect(err).toContain('next: --save-profile NAME');
    expect(await keyOf('one')).toBe(before);
  });

  it('keeps the key of a registration that failed for the next attempt', async () => {
    const failed = await house.writ(registration('Two', 'psn_01K41M7JG00000000000000PSN'));
    expect(failed.code).not.toBe(0);
    const key = await keyOf('two');
    expect((await house.writ(registration('Two'))).code).toBe(0);
    expect(await keyOf('two')).toBe(key);
  });

  it('takes a new key when the agent does', async () => {
    const { agentId } = await house.json(registration('Three'));
    const before = await keyOf('three');
    expect((await house.writ(['agent', 'rotate-key', String(agentId)])).code).toBe(0);
    expect(await keyOf('three')).not.toBe(before);
    await house.json(['certificate', 'issue', String(agentId)]);
    expect((await house.writ(['agent', 'get', String(agentId), '--profile', 'three'])).code).toBe(0);
  });

  it('can be made of a key that was made elsewhere', async () => {
    const { pem } = newKeys();
    const file = await house.file('four.pem', pem);
    const { agentId, ...agent } = await house.json([...registration('Four'), '--key-file', file]);
    expect(JSON.stringify(agent)).not.toContain(pem.split('\n')[1]);
    expect((await house.writ(['certificate', 'issue', String(agentId)])).code).toBe(7);
    const flags = ['--key-file', file, '--save-profile', 'four'];
    expect((await house.writ(['certificate', 'issue', String(agentId), ...flags])).code).toBe(0);
    expect((await house.writ(['agent', 'get', String(agentId), '--profile', 'four'])).code).toBe(0);
  });

  it('is not made of a key that is not registered', async () => {
    const { agentId } = await house.json(registration('Five'));
    const flags = ['--key-file', await house.file('other.pem', newKeys().pem), '--save-profile', 'other'];
    expect((await house.writ(['certificate', 'issue', String(agentId), ...flags])).code).toBeGreaterThan(0);
    expect(await house.home.profiles()).not.toContain('other');
  });
});

describe('an attestation', () => {
  it('is of the provenance that the sponsor is shown, unless they name the etag they saw', async () => {
    const digest = `sha-256:${'A'.repeat(43)}`;
    const made = await house.json([...registration('Seven'), '--provenance', `model_digest=${digest}`]);
    const attest = ['agent', 'attest', String(made.agentId)];
    expect((await house.writ([...attest, '--etag', '0'])).err).toContain('(ETAG_STALE)');
    const { code, out, err } = await house.writ(attest);
    expect(code).toBe(0);
    expect(out).toContain('active');
    expect(err).toContain(
      `attesting what is so at --etag ${made.etag}: model ${digest}, system prompt unknown`,
    );
  });
});
