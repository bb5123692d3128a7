import { formatSpiffeId, Identity, newMaterial, reasonOf } from '@writ/service';
import { clientsOf } from '../suite/clients.js';
import type { StartedSuite } from '../suite/start-suite.js';
import { memberOf } from './cast.js';
import { applyStarterPolicies } from './policies.js';
import { Stage } from './stage.js';
import { answerFor, crash, verify } from './steps-account.js';
import { delegate, grant, read, register } from './steps-authority.js';
import { exhaust, pay } from './steps-payments.js';
import { lock } from './steps-stop.js';

const POINT_CERTIFICATE_SECONDS = 24 * 60 * 60;

const steps: readonly (readonly [title: string, step: (stage: Stage) => Promise<void>])[] = [
  [
    'People, a blueprint, invoice-agent and fx-agent; nothing acts before its sponsor has attested it',
    register,
  ],
  [
    'Ana grants a mandate: pay up to 5 000 EUR each and 20 000 in total, "September supplier run", four hours',
    grant,
  ],
  ['invoice-agent opens a session and reads invoices with a leased credential that cannot write', read],
  ['A is allowed; B is outside the mandate; C pauses until Ben approves exactly that, and runs once', pay],
  ['invoice-agent delegates "read rates" to fx-agent: that and nothing else', delegate],
  ['The twenty thousand hold under 50 payments at once', exhaust],
  ['A lock on invoice-agent stops it, its sub-agent, its credential and what it asked for', lock],
  ['Who answers for payment A?', answerFor],
  ['The ledger verifies; one flipped byte in a copy does not', verify],
  ['A crash in the middle loses nothing and repeats nothing', crash],
];

/**
 * The main job, as a client would do it: over gRPC, SQL and files. Only step 9 reaches inside: it copies the ledger as the
 * owner of the database and verifies the copy with audit's own code. Answers whether every step held.
 */
export async function walk(suite: StartedSuite, print: (line: string) => void): Promise<boolean> {
  const { home, record, trust } = suite;
  const operator = await memberOf(home, record, 'operator');
  const spiffeId = formatSpiffeId({ trustDomain: record.trustDomain, kind: 'enforcement-point', id: 'erp' });
  const point = clientsOf(
    record,
    new Identity(await newMaterial({ trustDomain: trust, spiffeId, ttlSeconds: POINT_CERTIFICATE_SECONDS })),
  );
  const stage = new Stage(suite, operator, point, print);
  try {
    await applyStarterPolicies(stage);
    for (const [index, [title, step]] of steps.entries()) {
      print(`${String(index + 1).padStart(3)}. ${title}`);
      const { ms } = await stage.timed(() => step(stage));
      print(`     held, ${(ms / 1000).toFixed(1)} s`);
    }
    return true;
  } catch (error) {
    print(`     FAILED: ${reasonOf(error)}`);
    return false;
  } finally {
    await stage.props.erp?.close();
    for (const member of [
      operator,
      stage.props.ana,
      stage.props.ben,
      stage.props.sam,
      stage.props.invoiceAgent,
      stage.props.fxAgent,
    ]) {
      member?.clients.close();
    }
    point.close();
  }
}
