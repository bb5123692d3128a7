import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import { CALL_ID_KEY, type WireError } from '../errors.js';

const REQUEST_ID_KEY = 'x-request-id';
const requestIdPattern = /^[\x21-\x7e](?:[\x20-\x7e]{0,198}[\x21-\x7e])?$/;

/** Why a request did not get as far as a call. */
export interface HttpRefusal {
  readonly status: number;
  /** Closed. */
  readonly reason: string;
  readonly message: string;
  /** Methods that the path has. */
  readonly allow?: string;
  /** Whether what follows on the connection cannot be understood, or is not waited for. */
  readonly last?: true;
}

/** The one answer to one request: JSON, never kept by a cache, with the request's own id on it. */
export class Reply {
  readonly #requestId: string | undefined;
  /** Set once a call was made of the request. */
  callId = '';

  constructor(
    request: IncomingMessage,
    private readonly response: ServerResponse,
    /** Whether the connection ends with this answer. */
    private readonly isLast: () => boolean,
  ) {
    const given = request.headers[REQUEST_ID_KEY];
    this.#requestId = typeof given === 'string' ? given : undefined;
  }

  /** Whether the id of the request can be given back: 1 to 200 printable ASCII characters, or none. */
  get hasGoodRequestId(): boolean {
    return this.#requestId === undefined || requestIdPattern.test(this.#requestId);
  }

  answer(json: string): void {
    this.#send(200, 'application/json', json, undefined, false);
  }

  refuse({ status, reason, message, allow, last }: HttpRefusal): void {
    this.#problem({ status, reason, detail: message }, allow, last === true);
  }

  fail({ httpStatus, reason, details, fields }: WireError): void {
    const errors = fields.length === 0 ? {} : { errors: fields };
    this.#problem({ status: httpStatus, reason, detail: details, ...errors }, undefined, false);
  }

  /** RFC 9457, with the closed code as the member `reason`. */
  #problem(
    problem: { status: number; reason: string; detail: string },
    allow: string | undefined,
    last: boolean,
  ) {
    const { status } = problem;
    const title = STATUS_CODES[status] ?? 'Error';
    const callId = this.callId === '' ? {} : { call_id: this.callId };
    const json = JSON.stringify({ type: 'about:blank', title, ...problem, ...callId });
    this.#send(status, 'application/problem+json', json, allow, last);
  }

  #send(status: number, type: string, json: string, allow: string | undefined, last: boolean): void {
    const headers: string[] = ['content-type', type, 'content-length', String(Buffer.byteLength(json))];
    headers.push('cache-control', 'no-store', 'x-content-type-options', 'nosniff');
    if (this.#requestId !== undefined && this.hasGoodRequestId) headers.push(REQUEST_ID_KEY, this.#requestId);
    if (this.callId !== '') headers.push(CALL_ID_KEY, this.callId);
    if (allow !== undefined) headers.push('allow', allow);
    if (last || this.isLast()) headers.push('connection', 'close');
    this.response.writeHead(status, headers).end(json);
  }
}
