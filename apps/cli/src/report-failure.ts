import type { Any } from '@writ/contracts/google/protobuf/any.js';
import {
  BadRequest,
  ErrorInfo,
  PreconditionFailure,
  RequestInfo,
  ResourceInfo,
  RetryInfo,
} from '@writ/contracts/google/rpc/error_details.js';
import type { Status } from '@writ/contracts/google/rpc/status.js';
import { type RemoteError, refusalOf } from '@writ/service';
import { CliFailure } from './cli-failure.js';
import type { CliSettings } from './cli-settings.js';
import { type ExitCode, exitCodeOfStatus, exitCodes, grpcCodeOf } from './exit-codes.js';
import type { Io } from './io.js';
import type { Json, JsonObject } from './json.js';
import type { CountedTime } from './moment.js';
import { visible } from './shape.js';

/** Where it happened, for the line that says what to do next. */
export interface Scene {
  /** `agent suspend`, or `` before a command was found. */
  readonly title: string;
  readonly requestId: string;
  /** Whether the same words make another request, as they are signed again. */
  readonly signedAnew: boolean;
  /** Times of the request that were counted from now. */
  readonly counted: readonly CountedTime[];
}

/** Where no command was found. */
export const nowhere: Scene = { title: '', requestId: '', signedAnew: false, counted: [] };

const read =
  <T>(form: { decode(bytes: Uint8Array): T; toJSON(message: T): unknown }) =>
  (bytes: Uint8Array) =>
    form.toJSON(form.decode(bytes)) as JsonObject;

const known: Readonly<Record<string, (bytes: Uint8Array) => JsonObject>> = {
  BadRequest: read(BadRequest),
  ErrorInfo: read(ErrorInfo),
  PreconditionFailure: read(PreconditionFailure),
  RequestInfo: read(RequestInfo),
  ResourceInfo: read(ResourceInfo),
  RetryInfo: read(RetryInfo),
};

/** Tells what failed, why, what to do next, and the call's id; with `-o json`, the google.rpc.Status. */
export function reportFailure(
  error: unknown,
  io: Pick<Io, 'err'>,
  settings: Pick<CliSettings, 'format'>,
  scene: Scene,
): ExitCode {
  const remote = refusalOf(error);
  const exitCode = remote === undefined ? localExitCode(error) : exitCodeOfStatus(remote.status);
  const inJson = settings.format === 'json' || settings.format === 'jsonl';
  if (inJson) {
    const status = remote === undefined ? localStatus(error, exitCode) : remoteStatus(remote, exitCode);
    io.err.write(`${JSON.stringify(status)}\n`);
  } else io.err.write(remote === undefined ? localText(error, scene) : remoteText(remote, exitCode, scene));
  return exitCode;
}

function localExitCode(error: unknown): ExitCode {
  return error instanceof CliFailure ? error.exitCode : exitCodes.internal;
}

function localText(error: unknown, { title }: Scene): string {
  if (!(error instanceof CliFailure))
    return `${heading(title)}internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`;
  const fields = error.fields.length > 1 ? error.fields.map(fieldLine) : [];
  const below = error.lines.length > 0 ? error.lines.map(visible) : fields;
  const next = error.next === '' ? [] : [`next: ${error.next}`];
  return [`${heading(title)}${visible(error.message)}`, ...below, ...next].map(line).join('');
}

function remoteText(remote: RemoteError, exitCode: ExitCode, scene: Scene): string {
  const { reason, message, fields, callId } = remote;
  const next = nextStep(remote, exitCode, scene);
  return [
    `${heading(scene.title)}${visible(message)} (${reason})`,
    ...(fields.length > 1 ? fields.map(fieldLine) : []),
    ...(next === '' ? [] : [`next: ${next}`]),
    ...(callId === '' ? [] : [`call: ${callId}`]),
  ]
    .map(line)
    .join('');
}

function nextStep({ reason }: RemoteError, exitCode: ExitCode, scene: Scene): string {
  const { title } = scene;
  const [noun = ''] = title.split(' ');
  if (reason === 'ETAG_STALE') return `writ ${noun} get, look, and repeat with the new --etag`;
  switch (exitCode) {
    case exitCodes.invalid:
      return `writ ${title} --help`;
    case exitCodes.forbidden:
      // What nobody may, such as to delegate more than one has, no other profile may either.
      return isAboutCaller(reason) ? 'use a profile that may: --profile NAME' : '';
    case exitCodes.notFound:
      return `writ ${noun} list`;
    case exitCodes.unavailable:
      return `writ status${howToRepeat(scene)}`;
    case exitCodes.internal:
      return "look for the call id in the service's log";
    default:
      return '';
  }
}

function isAboutCaller(reason: string): boolean {
  return reason === 'CALLER_NOT_ALLOWED' || reason === 'PEER_UNIDENTIFIED';
}

/** The same request id with another request would be refused, so it is offered only with what makes the same one. */
function howToRepeat({ title, requestId, signedAnew, counted }: Scene): string {
  const [noun = ''] = title.split(' ');
  if (requestId === '') return '';
  if (signedAnew) return `; then writ ${noun} list, and repeat only what was not done: it is signed anew`;
  const times = counted.map(({ typed, time }) => ` and ${time} in place of \`${visible(typed)}\``);
  return `; then repeat with --request-id ${requestId}${times.join('')}`;
}

/** Canonical proto3 JSON: a detail of a known type is spelt out beside its `@type`. */
function remoteStatus({ details, message, reason }: RemoteError, exitCode: ExitCode): Json {
  if (details === undefined) return statusJson(grpcCodeOf(exitCode), message, reason, []);
  return statusOf(details);
}

function statusOf({ code, message, details }: Status): Json {
  return { code, message, details: details.map(detailJson) };
}

function localStatus(error: unknown, exitCode: ExitCode): Json {
  const message = error instanceof Error ? error.message : String(error);
  const fields = error instanceof CliFailure ? error.fields : [];
  const reason = Object.entries(exitCodes).find(([, code]) => code === exitCode)?.[0] ?? 'internal';
  const upper = reason.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
  return statusJson(grpcCodeOf(exitCode), message, upper, fields);
}

function statusJson(code: number, message: string, reason: string, fields: CliFailure['fields']): Json {
  const prefix = 'type.googleapis.com/google.rpc';
  const info = { '@type': `${prefix}.ErrorInfo`, reason, domain: 'writ-cli' };
  const fieldViolations = fields.map(({ field, description }) => ({ field, description }));
  const bad = fields.length === 0 ? [] : [{ '@type': `${prefix}.BadRequest`, fieldViolations }];
  return { code, message, details: [info, ...bad] };
}

function detailJson({ typeUrl, value }: Any): Json {
  const name = typeUrl.slice(typeUrl.lastIndexOf('.') + 1);
  const content = known[name]?.(value) ?? { value: value.toString('base64') };
  return { '@type': typeUrl, ...content };
}

function heading(title: string): string {
  return title === '' ? 'writ: ' : `writ ${title}: `;
}

function fieldLine({ field, description }: { field: string; description: string }): string {
  return `  ${visible(field)}: ${visible(description)}`;
}

function line(text: string): string {
  return `${text}\n`;
}
