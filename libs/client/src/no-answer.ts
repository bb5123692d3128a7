/**
 * Why a question has no answer of the engine. Each is a deny: there is no setting that makes one of them anything else.
 */
export const noAnswerCodes = {
  /** No connection to an engine that proves to be the one, or it went away, as often as was tried. */
  ENGINE_UNREACHABLE: 'the policy engine cannot be reached',
  /** The engine has more to do than it takes on, and asks to come back later than this question can wait. */
  ENGINE_OVERLOADED: 'the policy engine has too much to do',
  /** The engine failed, or answered with a status that fits no question. */
  ENGINE_FAILED: 'the policy engine failed',
  /** The engine does not let this client ask: its certificate is expired, of another trust domain, or of the wrong kind. */
  CALLER_REFUSED: 'the policy engine does not let this client ask',
  /** The engine does not take this question: its token, as a rule. `cause` has the engine's own code. */
  QUESTION_REFUSED: 'the policy engine does not take this question',
  /** Another question came before under this request id. */
  REQUEST_ID_REUSED: 'the request id came before with another question',
  DEADLINE_EXCEEDED: 'no answer came in time',
  /** What came is no answer to what was asked: another count, an unknown outcome, an allow that is not recorded. */
  ANSWER_INVALID: 'what came back is no answer',
  /** More questions wait in this client than it holds; this one was not sent. */
  CLIENT_OVERLOADED: 'too many questions are waiting in this client',
  CLIENT_CLOSED: 'the client is closed',
  /** The caller raised its signal. */
  ABORTED: 'the caller no longer waits',
} as const;

export type NoAnswerCode = keyof typeof noAnswerCodes;

/** What stood behind it, for the log. There is no token and no key in it. */
export interface Cause {
  /** gRPC status by name; empty where none came into it. */
  readonly status: string;
  /** The engine's closed code, such as `TOKEN_EXPIRED`; empty where the engine did not say one. */
  readonly reason: string;
  /** For people. */
  readonly message: string;
  /** Paths of the fields that the engine named, by its contract. */
  readonly fields: readonly string[];
  /** Finds the call in the engine's log; empty where no engine answered. */
  readonly callId: string;
}
