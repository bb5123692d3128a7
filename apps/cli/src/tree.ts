import { completionVerb } from './completion.js';
import { doctorVerb } from './doctor.js';
import { helpVerb } from './help.js';
import { agentNoun } from './nouns/agent.noun.js';
import { approvalNoun } from './nouns/approval.noun.js';
import { blueprintNoun } from './nouns/blueprint.noun.js';
import { certificateNoun } from './nouns/certificate.noun.js';
import { decideVerb, decisionNoun } from './nouns/decision.noun.js';
import { delegationNoun } from './nouns/delegation.noun.js';
import { databaseRoleNoun, leaseNoun } from './nouns/lease.noun.js';
import { ledgerNoun } from './nouns/ledger.noun.js';
import { lockNoun, lockVerb } from './nouns/lock.noun.js';
import { mandateNoun } from './nouns/mandate.noun.js';
import { personNoun } from './nouns/person.noun.js';
import { policyNoun } from './nouns/policy.noun.js';
import { secretNoun } from './nouns/secret.noun.js';
import { sessionNoun } from './nouns/session.noun.js';
import { statusVerb } from './status.js';
import type { Tree } from './verb.js';

/** The command line. Commands, help, completion and reference are made from this and from nothing else. */
export const tree: Tree = [
  personNoun,
  blueprintNoun,
  agentNoun,
  certificateNoun,
  mandateNoun,
  delegationNoun,
  sessionNoun,
  decisionNoun,
  { ...decideVerb, name: 'decide', doc: `short for \`decision make\`: ${decideVerb.doc}` },
  approvalNoun,
  lockNoun,
  { ...lockVerb, name: 'kill', doc: `short for \`lock create\`: ${lockVerb.doc}` },
  secretNoun,
  databaseRoleNoun,
  leaseNoun,
  policyNoun,
  ledgerNoun,
  statusVerb,
  doctorVerb,
  completionVerb(() => tree),
  helpVerb(() => tree),
];
