import type { Position } from '@writ/contracts/writ/type/v1/authority.js';
import { isServiceName, list, type Problem, required } from '@writ/service';

const TOKEN_LENGTH_MAX = 16_384;
const POSITIONS_MAX = 16;

/** The form of a token; what it says is for the verifier. */
export function presentedToken(token: string): Problem {
  return required(
    token,
    token.length > TOKEN_LENGTH_MAX ? `must have at most ${TOKEN_LENGTH_MAX} characters` : undefined,
  );
}

/** Positions that the answer must have known. */
export function positions(atLeast: readonly Position[]): Problem {
  return list(atLeast, { max: POSITIONS_MAX, rule: positionProblem });
}

function positionProblem({ source, pos }: Position): Problem {
  if (!isServiceName(source)) return 'must name a service as `source`';
  return pos >= 1n && pos <= BigInt(Number.MAX_SAFE_INTEGER)
    ? undefined
    : 'must have a `pos` from 1 to 2^53-1';
}
