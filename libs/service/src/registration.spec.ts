import {
  Metadata,
  Server,
  type ServiceError,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { describe, expect, it } from '@jest/globals';
import { CertificateServiceService } from '@writ/contracts/writ/registry/v1/certificate.js';
import { SystemClock } from './clock.js';
import { OpenStreams } from './open-streams.js';
import { register } from './registration.js';
import { createLogger, Telemetry } from './telemetry.js';

type Respond = (error: Partial<ServiceError> | null) => void;

class CertificateRpc {
  static readonly service = CertificateServiceService;
  static readonly access = { issueCertificate: ['agent'] as const };

  issueCertificate(): void {}
}

/** What the server was given to answer a call with. */
class KeptServer extends Server {
  kept: UntypedServiceImplementation = {};

  override addService(_definition: unknown, handlers: UntypedServiceImplementation): void {
    this.kept = handlers;
  }
}

describe('an answer that grpc-js cannot write', () => {
  const logged: string[] = [];
  const server = new KeptServer();
  const log = createLogger(
    { service: 'registry', level: 'info' },
    { write: (line) => void logged.push(line) },
  );
  const roles = { rolesOf: async () => new Set<never>() };
  const parts = { clock: new SystemClock(), trustDomain: 'writ.test', roles, telemetry: new Telemetry(log) };
  register(server, CertificateRpc, new CertificateRpc(), parts, new OpenStreams());

  /** Calls as somebody without a certificate; `respond` is told of every answer. */
  function call(respond: Respond): void {
    const surface = {
      metadata: new Metadata(),
      getDeadline: () => Number.POSITIVE_INFINITY,
      getAuthContext: () => ({}),
      request: Buffer.alloc(0),
    };
    Reflect.apply(server.kept.issueCertificate as () => void, undefined, [surface, respond]);
  }

  it('is an internal error for the caller, and its cause is logged', async () => {
    const answers: unknown[] = [];
    await new Promise<void>((resolve) =>
      call((error) => {
        answers.push(error?.code);
        if (answers.length === 1) throw new URIError('URI malformed');
        resolve();
      }),
    );
    expect(answers).toEqual([status.UNAUTHENTICATED, status.INTERNAL]);
    expect(logged.join('')).toContain('URI malformed');
  });

  it('does not end the process when the internal error cannot be written either', async () => {
    const unhandled: unknown[] = [];
    const note = (cause: unknown) => void unhandled.push(cause);
    process.on('unhandledRejection', note);
    await new Promise<void>((resolve) =>
      call((error) => {
        if (error?.code === status.INTERNAL) setTimeout(resolve, 20);
        throw new Error('the connection is gone');
      }),
    );
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
    expect(logged.join('')).toContain('the connection is gone');
  });
});
