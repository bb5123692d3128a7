import { Metadata, status } from '@grpc/grpc-js';
import { describe, expect, it } from '@jest/globals';
import { PreconditionFailure, ResourceInfo, RetryInfo } from '@writ/contracts/google/rpc/error_details.js';
import { Refusal, type RefusalKind } from '@writ/kernel';
import { DeadlineExceeded, toWire } from './errors.js';
import { detail, refusalOf } from './refusal-of.js';

const callId = '01990488-e280-7fff-bfff-ffffffffffff';
const agent = 'agt_01K41M7JG00000000000000AGT';

function decoded(error: unknown) {
  const wire = toWire(error, callId);
  const remote = refusalOf(Object.assign(new Error(wire.details), wire));
  if (remote === undefined) throw new Error('not decoded');
  return remote;
}

describe('errors on the wire', () => {
  it.each<[RefusalKind, string, number]>([
    ['invalid', 'INVALID_ARGUMENT', 400],
    ['unauthenticated', 'UNAUTHENTICATED', 401],
    ['forbidden', 'PERMISSION_DENIED', 403],
    ['not-found', 'NOT_FOUND', 404],
    ['conflict', 'ALREADY_EXISTS', 409],
    ['stale', 'ABORTED', 409],
    ['precondition', 'FAILED_PRECONDITION', 409],
    ['exhausted', 'RESOURCE_EXHAUSTED', 429],
    ['unavailable', 'UNAVAILABLE', 503],
  ])('a refusal of kind `%s` is %s, and %i over HTTP', (kind, name, httpStatus) => {
    const refusal = new Refusal('SOME_CODE', kind, 'no');
    expect(toWire(refusal, callId).httpStatus).toBe(httpStatus);
    expect(decoded(refusal)).toMatchObject({
      status: name,
      reason: 'SOME_CODE',
      callId,
    });
  });

  it('a lost race is to be tried again', () => {
    expect(decoded(new Refusal('STREAM_CONFLICT', 'conflict', 'changed')).status).toBe('ABORTED');
  });

  it('say what was not found, what is in the way, and when to come back', () => {
    const unknown = decoded(new Refusal('AGENT_UNKNOWN', 'not-found', `agent \`${agent}\` does not exist`));
    expect(detail(unknown.details, 'ResourceInfo', ResourceInfo.decode)).toMatchObject({
      resourceType: 'writ/agent',
      resourceName: agent,
    });
    const retired = decoded(new Refusal('AGENT_RETIRED', 'precondition', `agent \`${agent}\` is retired`));
    expect(detail(retired.details, 'PreconditionFailure', PreconditionFailure.decode)?.violations).toEqual([
      { type: 'AGENT_RETIRED', subject: agent, description: `agent \`${agent}\` is retired` },
    ]);
    const busy = decoded(new Refusal('TOO_MANY', 'exhausted', 'too many'));
    expect(detail(busy.details, 'RetryInfo', RetryInfo.decode)?.retryDelay?.seconds).toBe(1n);
  });

  it('stay small, however much went wrong', () => {
    const fields = Array.from({ length: 1000 }, (_, index) => ({
      field: `f${index}`,
      description: 'x'.repeat(5000),
    }));
    const wire = toWire(new Refusal('INVALID_ARGUMENT', 'invalid', 'x'.repeat(100_000), fields), callId);
    const bytes = Buffer.concat(
      [...wire.metadata.get('grpc-status-details-bin')].map((value) => Buffer.from(value)),
    );
    expect(bytes.length).toBeLessThan(16 * 1024);
  });

  it.each([
    ['an even number of units', '😀'.repeat(600)],
    ['an odd number of units', `x${'😀'.repeat(600)}`],
    ['half a surrogate pair', 'agent \ud83d'],
  ])('can be sent when a message of %s is cut', (_title, text) => {
    const fields = [{ field: text, description: text }];
    const wire = toWire(new Refusal('INVALID_ARGUMENT', 'invalid', text, fields), callId);
    expect(() => encodeURI(wire.details)).not.toThrow();
    const remote = decoded(new Refusal('INVALID_ARGUMENT', 'invalid', text, fields));
    for (const shown of [remote.fields[0]?.field, remote.fields[0]?.description])
      expect(shown).not.toContain(text.length > 100 ? '\ufffd' : '\ud83d');
  });

  it.each([
    ['an error', new Error('hunter2')],
    ['text', 'hunter2'],
    [
      'a gRPC error of somebody else',
      Object.assign(new Error('hunter2'), { code: status.NOT_FOUND, details: 'hunter2' }),
    ],
    ['nothing', undefined],
  ])('hide %s that is no refusal', (_title, error) => {
    const remote = decoded(error);
    expect(remote).toMatchObject({
      status: 'INTERNAL',
      reason: 'INTERNAL',
      message: `internal error (call ${callId})`,
    });
    expect(JSON.stringify(remote)).not.toContain('hunter2');
  });

  it('tell a deadline from a refusal', () => {
    expect(decoded(new DeadlineExceeded(100))).toMatchObject({
      status: 'DEADLINE_EXCEEDED',
      message: 'no answer within 100 ms',
    });
  });

  it('of other servers keep their status name as the reason', () => {
    const foreign = Object.assign(new Error('x'), {
      code: status.UNAVAILABLE,
      details: 'gone',
      metadata: new Metadata(),
    });
    expect(refusalOf(foreign)).toMatchObject({ reason: 'UNAVAILABLE', message: 'gone', callId: '' });
    expect(refusalOf(new Error('x'))).toBeUndefined();
  });
});
