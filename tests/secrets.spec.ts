import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { trace } from '@opentelemetry/api';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { refusalOf } from '@writ/service';
import { TOKEN_ISSUER } from '@writ/writd/suite/environment.js';
import { assertionOf } from '@writ/writd/walk/agent-session.js';
import {
  errorOf,
  filesOf,
  formsOf,
  type Holding,
  keyNeedles,
  leaks,
  type Needle,
  rowsOf,
  spansOf,
} from './leak.js';
import { WholeSuite } from './whole-suite.js';
import { erpDatabase, type WorkingAgent, workingAgent } from './working-agent.js';

const exporter = new InMemorySpanExporter();
const logged: string[] = [];
const answered: Holding[] = [];
const failed: Holding[] = [];
const needles: Needle[] = [];
const plainSecret = randomBytes(24).toString('hex');
const lostPassword = randomBytes(24).toString('hex');

let suite: WholeSuite;
let work: WorkingAgent;
let holdings: readonly Holding[] = [];

/** Makes a call that must fail and keeps what it says. */
async function fails(place: string, call: Promise<unknown>): Promise<void> {
  const error = await call.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (refusalOf(error) === undefined)
    throw new Error(`${place} was expected to be refused`, { cause: error });
  failed.push(errorOf(place, error));
}

/** Makes a call whose answer has no business with secrets. */
async function answers(place: string, call: Promise<unknown>): Promise<void> {
  const shown = (_key: string, value: unknown) => (typeof value === 'bigint' ? `${value}` : value);
  answered.push({ place: `the answer of ${place}`, text: JSON.stringify(await call, shown) });
}

const keep = (name: string, value: string) => needles.push({ name, value });

beforeAll(async () => {
  trace.setGlobalTracerProvider(
    new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }),
  );
  suite = await WholeSuite.start((line) => logged.push(line));
  const erpUrl = await erpDatabase(suite);
  keep('the vaulted connection URL', erpUrl);
  keep('the password in the vaulted connection URL', new URL(erpUrl).password);
  work = await workingAgent(suite, erpUrl);
  keep('an access token', work.session.accessToken);
  await useSecrets();
  await misuseSecrets();
  await readAround();
  await suite.settled();
  keepKeysAndPasswords();
  const logs = logged.map((text, index) => ({ place: `log line ${index}`, text }));
  const spans = spansOf(exporter.getFinishedSpans());
  holdings = [
    ...logs,
    ...spans,
    ...(await rowsOf(suite)),
    ...filesOf(suite.inside('siem')),
    ...answered,
    ...failed,
  ];
}, 120_000);

afterAll(async () => {
  trace.disable();
  await suite?.stop();
});

/** Everything that has a secret in its request or its answer, with a request id, so that the answer is kept. */
async function useSecrets(): Promise<void> {
  const { agent, session, databaseRoleId, secretId } = work;
  const { sessions, leases, secrets } = agent.clients;
  const token = session.accessToken;
  const named = { approvalId: '', atLeast: session.atLeast };
  const lease = await leases.issueLease({
    ...named,
    token,
    presentedCertificateSha256: '',
    databaseRoleId,
    ttlSeconds: 60,
    requestId: randomUUID(),
  });
  keep('a leased password', lease.password);
  const leaseId = lease.lease?.leaseId ?? '';
  await leases.renewLease({ token, leaseId, ttlSeconds: 120, requestId: randomUUID() });
  const added = { secretId, value: Buffer.from(plainSecret), etag: '', requestId: randomUUID() };
  await suite.admin.clients.secrets.addSecretVersion(added);
  keep('a secret value', plainSecret);
  const read = await secrets.readSecret({ ...named, token, secretId, version: 2, requestId: randomUUID() });
  expect(read.value.toString()).toBe(plainSecret);
  const assertion = assertionOf(agent, TOKEN_ISSUER, Date.now());
  keep('an assertion', assertion);
  const { sessionId } = session;
  const issued = await sessions.issueToken({ assertion, sessionId, requestId: randomUUID() });
  keep('another access token', issued.accessToken);
  await fails('a replayed assertion', sessions.issueToken({ assertion, sessionId, requestId: '' }));
  await leases.revokeLease({ leaseId, requestId: randomUUID() });
}

/** Secrets where they do not belong: what is refused must not repeat them. */
async function misuseSecrets(): Promise<void> {
  const { agent, point, session, databaseRoleId } = work;
  const token = session.accessToken;
  const { agents, secrets, leases, people } = suite.admin.clients;
  await fails('a secret as an id', secrets.getSecret({ secretId: plainSecret }));
  await fails('a token as an id', agents.getAgent({ agentId: token }));
  await fails(
    'a token as a request id',
    people.markPersonLeft({ personId: suite.admin.id, etag: '', requestId: token }),
  );
  const cut = { databaseRoleId, ttlSeconds: 0, approvalId: '', atLeast: [], requestId: '' };
  await fails(
    'a token that is bound to somebody else',
    point.clients.leases.issueLease({ ...cut, token, presentedCertificateSha256: 'A'.repeat(43) }),
  );
  await fails(
    'a forged token',
    agent.clients.leases.issueLease({ ...cut, token: `${token}x`, presentedCertificateSha256: '' }),
  );
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = privateKey.export({ format: 'jwk' });
  keep('a private key that somebody tried to register', String(jwk.d));
  const bad = { displayName: 'somebody', roles: [1], jwk: JSON.stringify(jwk), requestId: '' };
  await fails('registering a private key', people.registerPerson(bad));
  await unreachable(leases, secrets);
}

/** A database that is not there: the driver's own error knows the password that it could not use. */
async function unreachable(
  leases: WholeSuite['admin']['clients']['leases'],
  secrets: WholeSuite['admin']['clients']['secrets'],
): Promise<void> {
  keep('the password for a database that is not there', lostPassword);
  const value = Buffer.from(`postgres://nobody:${lostPassword}@127.0.0.1:1/nothing`);
  const { secretId } = await secrets.createSecret({
    displayName: 'lost',
    owner: 'finance',
    value,
    requestId: '',
  });
  const role = { displayName: 'lost-reader', memberOf: ['x'], ttlSecondsMax: 60, requestId: '', secretId };
  const { databaseRoleId } = await leases.defineDatabaseRole(role);
  const { agent, session } = work;
  await fails(
    'a lease on a database that is not there',
    agent.clients.leases.issueLease({
      token: session.accessToken,
      presentedCertificateSha256: '',
      databaseRoleId,
      ttlSeconds: 0,
      approvalId: '',
      atLeast: session.atLeast,
      requestId: '',
    }),
  );
}

/** What anybody may read about all this. */
async function readAround(): Promise<void> {
  const { secrets, leases, ledger, sessions, agents, people } = suite.admin.clients;
  const page = { pageSize: 200, pageToken: '' };
  await answers('ListSecrets', secrets.listSecrets(page));
  await answers('ListLeases', leases.listLeases({ ...page, sessionId: '', state: 0 }));
  await answers('ListDatabaseRoles', leases.listDatabaseRoles(page));
  await answers('ListSessions', sessions.listSessions({ ...page, agentId: '', mandateId: '', state: 0 }));
  await answers('ListSigningKeys', sessions.listSigningKeys({}));
  await answers('GetAgent', agents.getAgent({ agentId: work.agent.id }));
  await answers('ListPeople', people.listPeople({ ...page, role: 0 }));
  await suite.settled();
  const any = {
    subjectId: '',
    task: '',
    type: '',
    source: '',
    actor: '',
    startTime: undefined,
    endTime: undefined,
  };
  await answers('ListEntries', ledger.listEntries({ ...page, ...any }));
}

function keepKeysAndPasswords(): void {
  for (const [service, url] of suite.databaseUrls) {
    keep(`the database URL of ${service}`, url);
    keep(`the database password of ${service}`, new URL(url).password);
  }
  for (const { spiffeId, keyPem } of suite.materials) needles.push(...keyNeedles(spiffeId, keyPem.reveal()));
  for (const party of [suite.admin, work.agent, work.sponsor]) {
    needles.push(...keyNeedles(`${party.id} for TLS`, party.identity.current().keyPem.reveal()));
    needles.push(...keyNeedles(`${party.id} for signing`, party.keys.signingKeyPem));
  }
  for (const name of ['token-signing.pem', 'trust/root.key', 'trust/issuing.key'])
    needles.push(...keyNeedles(name, readFileSync(suite.inside(name), 'utf8')));
  const [, kek = ''] = readFileSync(suite.inside('kek'), 'utf8').trim().split('\n');
  keep('the key-encryption key', kek);
}

describe('no secret', () => {
  it('is looked for in places that hold something', () => {
    const places = holdings.map(({ place }) => place);
    for (const place of [
      'registry.event',
      'vault.event',
      'bus.log',
      'ledger.entry',
      'vault.command',
      'vault_view.dlq',
    ])
      expect(places).toContain(place);
    expect(logged.filter((line) => line.includes('"call answered"')).length).toBeGreaterThan(20);
    expect(exporter.getFinishedSpans().length).toBeGreaterThan(40);
    expect(filesOf(suite.inside('siem')).some(({ text }) => text.includes('class_uid'))).toBe(true);
    expect(failed.length).toBeGreaterThan(6);
    expect(needles.length).toBeGreaterThan(30);
  });

  it('is in a fact, a row, the bus, the ledger, a log line, a span, a SIEM event, an answer or an error', () => {
    expect(leaks(needles, holdings)).toEqual([]);
  });

  it('is in what PostgreSQL shows of its connections and statements', async () => {
    const text = `select coalesce(string_agg(query || application_name, ' '), '') as text from pg_stat_activity`;
    const [activity] = await suite.sql<{ text: string }>(text);
    expect(leaks(needles, [{ place: 'pg_stat_activity', text: activity?.text ?? '' }])).toEqual([]);
  });
});

describe('a secret that is', () => {
  it.each([...formsOf(plainSecret).keys()])('written down as %s would be noticed', (form) => {
    const text = `before ${formsOf(plainSecret).get(form)} after`;
    expect(leaks([{ name: 'it', value: plainSecret }], [{ place: 'there', text }]).length).toBeGreaterThan(0);
  });

  it('in the bytes of a fact would be noticed', async () => {
    const text = `select (1, convert_to($1, 'utf8'))::text as text`;
    const [row] = await suite.sql<{ text: string }>(text, [`{"value":"${plainSecret}"}`]);
    const planted = [{ place: 'a row', text: row?.text ?? '' }];
    expect(leaks([{ name: 'it', value: plainSecret }], planted)).toEqual(['it, hex, in a row']);
  });

  it('in the attribute of a span, in a log line or in an error would be noticed', async () => {
    exporter.reset();
    trace
      .getTracer('writ')
      .startSpan('planted', { attributes: { 'db.statement': plainSecret } })
      .end();
    const planted = [
      ...spansOf(exporter.getFinishedSpans()).filter(({ place }) => place === 'span planted'),
      errorOf('a test', new Error('refused')),
      errorOf('a planted call', Object.assign(new Error('refused'), { details: plainSecret })),
      { place: 'a log line', text: JSON.stringify({ level: 'info', value: plainSecret }) },
    ];
    const found = leaks([{ name: 'it', value: plainSecret }], planted);
    for (const place of ['span planted', 'the error of a planted call', 'a log line'])
      expect(found.some((line) => line.endsWith(place))).toBe(true);
    expect(found.some((line) => line.endsWith('the error of a test'))).toBe(false);
  });
});
