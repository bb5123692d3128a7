import type {
  Environment,
  Provenance,
  Sensitivity,
  TrustPoints,
} from '@writ/contracts/writ/registry/v1/agent_facts.js';

/** Raised with every change of the function below, so that a stored score can be computed again as it was. */
export const TRUST_FUNCTION_VERSION = 1;

const DAY_MS = 24 * 60 * 60 * 1000;
const AGE_DAYS_FULL = 30;

/** What a score is made from: recorded facts and the moment of scoring, nothing else. */
export interface TrustEvidence {
  readonly environment: Environment;
  readonly sensitivity: Sensitivity;
  readonly provenance: Provenance;
  readonly registeredAtMs: number;
  readonly scoredAtMs: number;
  readonly suspensions: number;
  readonly locks: number;
  readonly provenanceChanges: number;
}

/** Points by `Environment` number: the stricter the place, the more review an agent has had to get there. */
const environmentPoints: readonly number[] = [0, 5, 10, 15];
/** Points by `Sensitivity` number: the less it may touch, the less can go wrong. */
const sensitivityPoints: readonly number[] = [0, 15, 12, 8, 4];

/**
 * A trust score from 0 to 100 as five explained components. Pure: the same evidence gives the same score on every
 * machine, for ever.
 */
export function trustPoints(evidence: TrustEvidence): readonly TrustPoints[] {
  return [
    {
      component: 'environment',
      points: environmentPoints[evidence.environment] ?? 0,
      pointsMax: 15,
      explanation: 'production 15, staging 10, development 5',
    },
    provenancePoints(evidence.provenance),
    agePoints(evidence),
    conductPoints(evidence),
    {
      component: 'sensitivity',
      points: sensitivityPoints[evidence.sensitivity] ?? 0,
      pointsMax: 15,
      explanation: 'touches at most public 15, internal 12, confidential 8, restricted 4',
    },
  ];
}

function provenancePoints(provenance: Provenance): TrustPoints {
  const parts = [
    { name: 'model', digest: provenance.modelDigest, worth: 8 },
    { name: 'system prompt', digest: provenance.systemPromptDigest, worth: 8 },
    { name: 'tools', digest: provenance.toolsDigest, worth: 8 },
    { name: 'image', digest: provenance.imageDigest, worth: 6 },
  ];
  const known = parts.filter((part) => part.digest !== '');
  const unknown = parts.filter((part) => part.digest === '').map((part) => part.name);
  return {
    component: 'provenance',
    points: known.reduce((sum, part) => sum + part.worth, 0),
    pointsMax: 30,
    explanation: unknown.length === 0 ? 'all four digests are known' : `no digest of ${unknown.join(', ')}`,
  };
}

function agePoints({ registeredAtMs, scoredAtMs }: TrustEvidence): TrustPoints {
  const days = Math.max(0, Math.floor((scoredAtMs - registeredAtMs) / DAY_MS));
  return {
    component: 'age',
    points: Math.floor((Math.min(days, AGE_DAYS_FULL) * 15) / AGE_DAYS_FULL),
    pointsMax: 15,
    explanation: `registered ${days} days ago; full after ${AGE_DAYS_FULL}`,
  };
}

function conductPoints({ suspensions, locks, provenanceChanges }: TrustEvidence): TrustPoints {
  const lost = suspensions * 10 + locks * 5 + provenanceChanges * 2;
  return {
    component: 'conduct',
    points: Math.max(0, 25 - lost),
    pointsMax: 25,
    explanation: `${suspensions} suspensions (10 each), ${locks} locks (5 each), ${provenanceChanges} changes of provenance (2 each)`,
  };
}
