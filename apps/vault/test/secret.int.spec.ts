import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Outcome } from '@writ/contracts/writ/policy/v1/decision_facts.js';
import { WatchTargetKind } from '@writ/contracts/writ/watch/v1/watch.js';
import { refusalOf } from '@writ/service';
import { reasonOf } from './asking.js';
import { House, type TestAgent, type TestSession } from './house.js';

let house: House;
let agent: TestAgent;
let session: TestSession;
beforeAll(async () => {
  house = await House.build();
  agent = await house.agent();
  session = await house.session(agent);
});
afterEach(() => {
  house.decisions.outcome = {};
});
afterAll(() => house.close());

function create(
  value: string | Buffer,
  requestId = '',
  displayName = `secret ${house.world.clock.randomHex(8)}`,
) {
  return house
    .secrets(house.admin)
    .createSecret({ displayName, owner: 'finance', value: Buffer.from(value), requestId });
}

async function read(secretId: string, version = 0, by = session): Promise<{ text: string; version: number }> {
  const request = { token: by.token, secretId, version, approvalId: '', atLeast: [], requestId: '' };
  const answer = await house.secrets(by.agent.identity).readSecret(request);
  return { text: answer.value.toString(), version: answer.version };
}

const facts = (type: string, secretId: string) =>
  house.sql(
    `select pos from vault.event where type = '${type}' and encode(data, 'escape') like '%${secretId}%'`,
    house.world.ownerUrl,
  );

describe('a secret', () => {
  it('is read by an agent whose reading is decided, and each reading is recorded', async () => {
    const { secretId, displayName, versions } = await create('first value');
    expect(versions).toEqual([expect.objectContaining({ version: 1, destroyed: false })]);
    expect(await read(secretId)).toEqual({ text: 'first value', version: 1 });
    expect(house.decisions.asked.at(-1)?.action).toMatchObject({
      type: 'vault_secret',
      name: 'read',
      location: 'vault',
      identifier: secretId,
      attributes: expect.arrayContaining([
        { name: 'secret_name', value: { $case: 'stringValue', value: displayName } },
      ]),
    });
    await read(secretId);
    expect(await facts('SecretRead', secretId)).toHaveLength(2);
  });

  it('does not leave the vault without an allow, nor for a locked agent, nor after the session', async () => {
    const { secretId } = await create('never seen');
    house.decisions.outcome = { outcome: Outcome.OUTCOME_DENY };
    expect(await reasonOf(read(secretId))).toBe('ACTION_DENIED');
    house.decisions.outcome = { outcome: Outcome.OUTCOME_APPROVAL_NEEDED };
    expect(await reasonOf(read(secretId))).toBe('APPROVAL_NEEDED');
    house.decisions.outcome = {};
    const locked = await house.agent();
    const theirs = await house.session(locked);
    const { WATCH_TARGET_KIND_AGENT: targetKind } = WatchTargetKind;
    house.watch.place({ targetKind, targetId: locked.agentId }, house.world.clock.now());
    await house.until(async () => (await reasonOf(read(secretId, 0, theirs))) === 'LOCKED');
    const over = await house.session(agent);
    await house.end(over);
    await house.until(async () => (await reasonOf(read(secretId, 0, over))) === 'SESSION_ENDED');
  });

  it('gets new versions, keeps the old ones, and loses one for good', async () => {
    const { secretId, etag } = await create('one');
    const keeper = house.secrets(house.admin);
    const two = await keeper.addSecretVersion({ secretId, value: Buffer.from('two'), etag, requestId: '' });
    expect(two.versions.map(({ version }) => version)).toEqual([1, 2]);
    expect(await read(secretId)).toEqual({ text: 'two', version: 2 });
    expect(await read(secretId, 1)).toEqual({ text: 'one', version: 1 });
    const stale = keeper.addSecretVersion({ secretId, value: Buffer.from('three'), etag, requestId: '' });
    expect(await reasonOf(stale)).toBe('ETAG_STALE');
    const left = await keeper.destroySecretVersion({ secretId, version: 1, etag: two.etag, requestId: '' });
    expect(left.versions.map(({ destroyed }) => destroyed)).toEqual([true, false]);
    expect(await reasonOf(read(secretId, 1))).toBe('SECRET_VERSION_DESTROYED');
    expect(await reasonOf(read(secretId, 3))).toBe('SECRET_VERSION_UNKNOWN');
    const rows = await house.sql(
      `select version from vault.secret_value where secret_id = '${secretId}'`,
      house.world.ownerUrl,
    );
    expect(rows).toEqual([{ version: 2 }]);
  });

  it('never gets two values under one version, whoever adds at the same moment', async () => {
    const { secretId } = await create('one');
    const keeper = house.secrets(house.admin);
    const values = ['a', 'b', 'c', 'd', 'e', 'f'];
    const added = await Promise.all(
      values.map((value) =>
        reasonOf(keeper.addSecretVersion({ secretId, value: Buffer.from(value), etag: '', requestId: '' })),
      ),
    );
    const won = added.filter((reason) => reason === 'not refused').length;
    expect(won).toBeGreaterThan(0);
    expect(new Set(added.filter((reason) => reason !== 'not refused'))).not.toContain('INTERNAL');
    const { versions } = await keeper.getSecret({ secretId });
    expect(versions.map(({ version }) => version)).toEqual(
      Array.from({ length: won + 1 }, (_, at) => at + 1),
    );
    for (const { version } of versions) expect((await read(secretId, version)).text).toMatch(/^(one|[a-f])$/);
  });

  it('is made once under one request id, and never with another value', async () => {
    const requestId = house.world.clock.newEventId();
    const first = await create('the same', requestId, 'asked twice');
    expect(await create('the same', requestId, 'asked twice')).toEqual(first);
    expect(await reasonOf(create('another', requestId, 'asked twice'))).toBe('REQUEST_ID_REUSED');
    expect(await reasonOf(create('the same', requestId, 'another name'))).toBe('REQUEST_ID_REUSED');
    expect((await read(first.secretId)).text).toBe('the same');
  });

  it('has a name that no other has', async () => {
    await create('x', '', 'the only one');
    expect(await reasonOf(create('y', '', 'the only one'))).toBe('SECRET_NAME_TAKEN');
  });

  it('has a value of 1 byte to 64 KiB, and every bad field is named', async () => {
    const largest = await create(Buffer.alloc(64 * 1024, 'x'));
    expect((await read(largest.secretId)).text).toHaveLength(64 * 1024);
    expect(await reasonOf(create(Buffer.alloc(64 * 1024 + 1)))).toBe('INVALID_ARGUMENT');
    expect(await reasonOf(create(Buffer.alloc(2 * 1024 * 1024)))).toBe('RESOURCE_EXHAUSTED');
    const refused = await create('', '', '').catch((cause: unknown) => cause);
    expect(refusalOf(refused)?.fields.map(({ field }) => field)).toEqual(['display_name', 'value']);
    expect(await reasonOf(read('agt_01K41M7JG0000000000000000A'))).toBe('INVALID_ARGUMENT');
    expect(await reasonOf(read('sec_01K41M7JG0000000000000000A'))).toBe('SECRET_UNKNOWN');
  });

  it('is listed without its value, page by page', async () => {
    const keeper = house.secrets(house.admin);
    const first = await keeper.listSecrets({ pageSize: 2, pageToken: '' });
    const second = await keeper.listSecrets({ pageSize: 2, pageToken: first.nextPageToken });
    const names = [...first.secrets, ...second.secrets].map(({ name }) => name);
    expect(names).toHaveLength(4);
    expect(names).toEqual([...new Set(names)].sort());
    expect(JSON.stringify(first)).not.toContain('first value');
  });
});

describe('a stored value', () => {
  it('that was changed in the database does not open, and nothing is recorded as read', async () => {
    const { secretId } = await create('intact');
    await house.sql(
      `update vault.secret_value set sealed = set_byte(sealed, 14, get_byte(sealed, 14) # 1) where secret_id = '${secretId}'`,
      house.world.ownerUrl,
    );
    expect(await reasonOf(read(secretId))).toBe('SECRET_VALUE_DAMAGED');
    expect(await facts('SecretRead', secretId)).toHaveLength(0);
  });

  it('that was copied to another secret does not open there', async () => {
    const [one, two] = [await create('one'), await create('two')];
    await house.sql(
      `update vault.secret_value t set sealed = f.sealed, wrapped_key = f.wrapped_key from vault.secret_value f
       where t.secret_id = '${two.secretId}' and f.secret_id = '${one.secretId}'`,
      house.world.ownerUrl,
    );
    expect(await reasonOf(read(two.secretId))).toBe('WRAPPED_KEY_DAMAGED');
  });

  it('cannot be changed or dropped by the vault itself', async () => {
    const url = house.vaultUrl.reveal();
    for (const sql of ['update vault.secret_value set kek_id = kek_id', 'drop table vault.secret_value'])
      await expect(house.sql(sql, url)).rejects.toThrow(/permission denied|must be owner/);
  });

  it('opens after the key-encryption key was rotated, and not with keys that are not its own', async () => {
    const { secretId } = await create('under the old key');
    const onTop = Buffer.from(house.world.clock.randomBytes(32)).toString('base64');
    await writeFile(house.keyFile, `${onTop}\n${await readFile(house.keyFile, 'utf8')}`);
    await house.vault.stop();
    await house.startVault();
    const fresh = await create('under the new key');
    expect((await read(secretId)).text).toBe('under the old key');
    expect((await read(fresh.secretId)).text).toBe('under the new key');
    const old = await house.secrets(house.admin).getSecret({ secretId });
    expect(old.versions[0]?.kekId).not.toBe(fresh.versions[0]?.kekId);
    await house.vault.stop();
    const stranger = Buffer.from(house.world.clock.randomBytes(32)).toString('base64');
    await writeFile(house.keyFile, `${stranger}\n`);
    await house.startVault();
    expect(await reasonOf(read(secretId))).toBe('KEK_UNKNOWN');
    expect(await facts('SecretRead', secretId)).toHaveLength(1);
  });
});
