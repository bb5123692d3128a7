import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Call, Refusal } from '@writ/kernel';
import { sha256Base64Url } from '../src/clock.js';
import { refusalOf } from '../src/refusal-of.js';
import { Secret } from '../src/secret.js';
import { Identity } from '../src/trust/identity.js';
import { emptyAnswer, type House, openHouse } from './certificate-house.js';
import { ADMIN_ID, AGENT_ID, newPeers, type Peers } from './trusted-peers.js';

const request = { subjectId: AGENT_ID, keyId: '', requestId: '' };

let peers: Peers;
let house: House;
let admin: Identity;

beforeAll(async () => {
  peers = await newPeers();
  house = await openHouse(peers);
  admin = await peers.identity(`/person/${ADMIN_ID}`);
});

afterAll(async () => {
  await house.close();
  await peers.remove();
});

async function failure(call: Promise<unknown>) {
  const error = await call.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  const remote = refusalOf(error);
  if (remote === undefined)
    throw new Error('the call was expected to fail with a gRPC error', { cause: error });
  return remote;
}

describe('who may call what', () => {
  it('refuses a caller without a row, and says for whom the call is', async () => {
    const erp = await peers.identity('/enforcement-point/erp');
    const refused = await failure(house.client(erp).issueCertificate(request));
    expect(refused).toMatchObject({ status: 'PERMISSION_DENIED', reason: 'CALLER_NOT_ALLOWED' });
    expect(refused.message).toContain('`role:admin`');
  });

  it('refuses another service than the one in the row', async () => {
    const audit = await peers.identity('/service/audit');
    expect((await failure(house.client(audit).issueCertificate(request))).reason).toBe('CALLER_NOT_ALLOWED');
  });

  it('refuses a person without the role', async () => {
    const somebody = await peers.identity('/person/psn_01K41M7JG0000000000000WHAT');
    expect((await failure(house.client(somebody).issueCertificate(request))).reason).toBe(
      'CALLER_NOT_ALLOWED',
    );
  });
});

describe('what goes wrong is said and no more', () => {
  it('decodes a refusal with every bad field', async () => {
    house.answer = async () => {
      throw new Refusal('INVALID_ARGUMENT', 'invalid', '`subject_id` is required; `key_id` is too long', [
        { field: 'subject_id', description: 'is required' },
        { field: 'key_id', description: 'is too long' },
      ]);
    };
    const refused = await failure(house.client(admin).issueCertificate(request));
    expect(refused).toMatchObject({ status: 'INVALID_ARGUMENT', reason: 'INVALID_ARGUMENT' });
    expect(refused.fields.map(({ field }) => field)).toEqual(['subject_id', 'key_id']);
    expect(
      refused.details?.details.filter(({ typeUrl }) => typeUrl.endsWith('google.rpc.ErrorInfo')),
    ).toHaveLength(1);
    expect(refused.callId).toMatch(/^[0-9a-f-]{36}$/);
  });

  it.each([
    ['even', '😀'.repeat(600)],
    ['odd', `x${'😀'.repeat(600)}`],
  ])(
    'answers with a refusal of more emoji than fit, an %s number of units before them',
    async (_parity, text) => {
      house.answer = async () => {
        throw new Refusal('REASON_TOO_LONG', 'precondition', text);
      };
      const refused = await failure(house.client(admin).issueCertificate(request));
      expect(refused).toMatchObject({ status: 'FAILED_PRECONDITION', reason: 'REASON_TOO_LONG' });
      expect(refused.message).toMatch(/^x?(😀)+…$/u);
    },
  );

  it('hides the cause of an internal error and logs it under the id of the call', async () => {
    house.answer = async () => {
      throw new Error('password of the database is hunter2');
    };
    const failed = await failure(house.client(admin).issueCertificate(request));
    expect(failed).toMatchObject({ status: 'INTERNAL', reason: 'INTERNAL' });
    expect(JSON.stringify(failed)).not.toContain('hunter2');
    expect(failed.message).toContain(failed.callId);
    const line = house.logged.find(
      (entry) => entry.includes('"call failed"') && entry.includes(failed.callId),
    );
    expect(line).toContain('the database');
  });

  it('refuses a request of more than 1 MiB', async () => {
    const huge = { ...request, keyId: 'x'.repeat(1024 * 1024 + 1) };
    expect((await failure(house.client(admin).issueCertificate(huge))).status).toBe('RESOURCE_EXHAUSTED');
  });

  it('refuses a request id that is no UUID', async () => {
    const refused = await failure(house.client(admin).issueCertificate({ ...request, requestId: 'once' }));
    expect(refused.fields).toEqual([{ field: 'request_id', description: 'must be a UUID' }]);
  });

  it('does not wait for an edge longer than the deadline', async () => {
    house.answer = () => new Promise(() => {});
    const failed = await failure(house.client(admin).issueCertificate(request, { deadlineMs: 100 }));
    expect(failed.status).toBe('DEADLINE_EXCEEDED');
  });

  it('gives a call without a deadline two seconds', async () => {
    let deadlineMs = 0;
    house.answer = async (_request, call) => {
      deadlineMs = call.deadlineMs;
      return emptyAnswer;
    };
    await house.client(admin).issueCertificate(request, { deadlineMs: Number.POSITIVE_INFINITY });
    expect(deadlineMs).toBe(2_000);
    await house.client(admin).issueCertificate(request, { deadlineMs: 3600_000 });
    expect(deadlineMs).toBe(30_000);
  });
});

describe('what an edge learns of its call', () => {
  it('hashes method and request without the request id, so that a retry is known as one', async () => {
    const calls: Call[] = [];
    house.answer = async (_request, call) => {
      calls.push(call);
      return emptyAnswer;
    };
    const client = house.client(admin);
    const first = '11111111-1111-4111-8111-111111111111';
    await client.issueCertificate({ ...request, requestId: first });
    await client.issueCertificate({ ...request, requestId: '22222222-2222-4222-8222-222222222222' });
    await client.issueCertificate({ ...request, keyId: 'other', requestId: first });
    const [one, two, other] = calls;
    expect(one?.requestHash).toBe(two?.requestHash);
    expect(other?.requestHash).not.toBe(one?.requestHash);
    expect(one?.requestHash).toHaveLength(sha256Base64Url('').length);
  });

  it('continues the trace of the caller', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    let traceparent = '';
    house.answer = async (_request, call) => {
      traceparent = call.traceparent;
      return emptyAnswer;
    };
    const trace = { traceparent: `00-${traceId}-b7ad6b7169203331-01` };
    await house.client(admin).issueCertificate(request, { trace });
    expect(traceparent).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
    expect(traceparent).not.toContain('b7ad6b7169203331');
  });

  it('begins a trace when the caller sent none', async () => {
    const seen: string[] = [];
    house.answer = async (_request, call) => {
      seen.push(call.traceparent);
      return emptyAnswer;
    };
    await house.client(admin).issueCertificate(request);
    await house.client(admin).issueCertificate(request);
    expect(seen[0]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    expect(seen[0]).not.toBe(seen[1]);
  });

  it('believes a service about the cause of a call, and nobody else', async () => {
    const causes: string[] = [];
    let given: Call | undefined;
    house.answer = async (_request, call) => {
      given ??= call;
      causes.push(
        call.cause === given.callId ? 'as said' : call.cause === call.callId ? 'itself' : call.cause,
      );
      return emptyAnswer;
    };
    await house.client(admin).issueCertificate(request);
    const vault = await peers.identity('/service/vault');
    await house.client(vault).issueCertificate(request, { call: given });
    await house.client(admin).issueCertificate(request, { call: given });
    expect(causes.slice(1)).toEqual(['as said', 'itself']);
  });
});

it('never prints a private key', () => {
  const material = admin.current();
  expect(JSON.stringify(material)).not.toContain('PRIVATE KEY');
  expect(material.keyPem).toBeInstanceOf(Secret);
});
