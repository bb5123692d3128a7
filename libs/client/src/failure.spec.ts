import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { describe, expect, it } from '@jest/globals';
import { BadRequest, ErrorInfo, RetryInfo } from '@writ/contracts/google/rpc/error_details.js';
import { Status } from '@writ/contracts/google/rpc/status.js';
import { type Failure, failureOf } from './failure.js';

interface Said {
  readonly reason?: string;
  readonly domain?: string;
  readonly waitSeconds?: number;
  readonly fields?: readonly string[];
}

/** An error as grpc-js makes it of the trailers of a service of Writ. */
function errorOf(code: status, said?: Said): ServiceError {
  const metadata = new Metadata();
  if (said !== undefined) metadata.set('grpc-status-details-bin', detailsOf(code, said));
  metadata.set('writ-call-id', 'call-1');
  return Object.assign(new Error('said'), { code, details: 'said', metadata });
}

function detailsOf(code: status, { reason, domain = 'writ', waitSeconds, fields }: Said): Buffer {
  const packed = (type: string, value: Uint8Array) => ({
    typeUrl: `type.googleapis.com/google.rpc.${type}`,
    value: Buffer.from(value),
  });
  const details = [];
  if (reason !== undefined)
    details.push(packed('ErrorInfo', ErrorInfo.encode({ reason, domain, metadata: {} }).finish()));
  if (waitSeconds !== undefined) {
    const retryDelay = { seconds: BigInt(waitSeconds), nanos: 500_000_000 };
    details.push(packed('RetryInfo', RetryInfo.encode({ retryDelay }).finish()));
  }
  if (fields !== undefined) {
    const fieldViolations = fields.map((field) => ({ field, description: 'is wrong' }));
    details.push(packed('BadRequest', BadRequest.encode({ fieldViolations }).finish()));
  }
  return Buffer.from(Status.encode({ code, message: 'said', details }).finish());
}

const meaning = (code: status, said?: Said): [Failure['code'], Failure['remedy']] => {
  const { code: means, remedy } = failureOf(errorOf(code, said));
  return [means, remedy];
};

describe('a call that failed', () => {
  it.each<[string, status, Said | undefined, Failure['code'], Failure['remedy']]>([
    ['nobody there', status.UNAVAILABLE, undefined, 'ENGINE_UNREACHABLE', 'retry'],
    [
      'an engine that cannot record',
      status.UNAVAILABLE,
      { reason: 'RECORD_UNAVAILABLE', waitSeconds: 1 },
      'ENGINE_FAILED',
      'retry',
    ],
    [
      'an engine with too much to do',
      status.RESOURCE_EXHAUSTED,
      { reason: 'TOO_MANY_WAITING', waitSeconds: 1 },
      'ENGINE_OVERLOADED',
      'retry',
    ],
    ['a message that is too large', status.RESOURCE_EXHAUSTED, undefined, 'ENGINE_FAILED', 'apart'],
    ['no time left', status.DEADLINE_EXCEEDED, { reason: 'DEADLINE_EXCEEDED' }, 'DEADLINE_EXCEEDED', 'none'],
    [
      'a certificate of nobody',
      status.UNAUTHENTICATED,
      { reason: 'PEER_UNIDENTIFIED' },
      'CALLER_REFUSED',
      'none',
    ],
    [
      'a certificate that may not ask',
      status.PERMISSION_DENIED,
      { reason: 'CALLER_NOT_ALLOWED' },
      'CALLER_REFUSED',
      'none',
    ],
    ['an expired token', status.UNAUTHENTICATED, { reason: 'TOKEN_EXPIRED' }, 'QUESTION_REFUSED', 'apart'],
    ['a bad field', status.INVALID_ARGUMENT, { reason: 'INVALID_ARGUMENT' }, 'QUESTION_REFUSED', 'apart'],
    [
      'a request id of another question',
      status.ALREADY_EXISTS,
      { reason: 'REQUEST_ID_REUSED' },
      'REQUEST_ID_REUSED',
      'apart',
    ],
    ['a bug', status.INTERNAL, { reason: 'INTERNAL' }, 'ENGINE_FAILED', 'apart'],
    ['no such call', status.UNIMPLEMENTED, undefined, 'ENGINE_FAILED', 'none'],
    ['a status of tomorrow', 99 as status, undefined, 'ENGINE_FAILED', 'apart'],
  ])('by %s', (_what, code, said, means, remedy) => expect(meaning(code, said)).toEqual([means, remedy]));

  it('is asked again for two statuses and no others', () => {
    const statuses = Object.values(status).filter((code) => typeof code === 'number');
    const again = statuses.filter(
      (code) => meaning(code, { reason: 'ANY', waitSeconds: 0 })[1] === 'retry' && code !== status.OK,
    );
    expect(new Set(again)).toEqual(new Set([status.RESOURCE_EXHAUSTED, status.UNAVAILABLE]));
  });

  it('says what the engine said, and how long it asks to wait', () =>
    expect(
      failureOf(errorOf(status.UNAVAILABLE, { reason: 'CLOSING', waitSeconds: 1, fields: ['a.b'] })),
    ).toMatchObject({
      waitMs: 1_500,
      cause: { status: 'UNAVAILABLE', reason: 'CLOSING', message: 'said', fields: ['a.b'], callId: 'call-1' },
    }));

  it('has no code of ours when the details are another system’s', () =>
    expect(
      failureOf(errorOf(status.UNAUTHENTICATED, { reason: 'PEER_UNIDENTIFIED', domain: 'proxy' })),
    ).toMatchObject({ code: 'QUESTION_REFUSED', cause: { reason: '' } }));

  it('means what its status means when its details are damaged', () => {
    const error = errorOf(status.UNAVAILABLE);
    error.metadata.set('grpc-status-details-bin', Buffer.from('ff00ff', 'hex'));
    expect(failureOf(error)).toMatchObject({ code: 'ENGINE_UNREACHABLE', remedy: 'retry' });
  });
});
