import { ApprovalServiceService } from '@writ/contracts/writ/approval/v1/approval.js';
import { LedgerServiceService } from '@writ/contracts/writ/audit/v1/ledger.js';
import { DecisionServiceService } from '@writ/contracts/writ/policy/v1/decision.js';
import { PolicySetServiceService } from '@writ/contracts/writ/policy/v1/policy_set.js';
import { AgentServiceService } from '@writ/contracts/writ/registry/v1/agent.js';
import { BlueprintServiceService } from '@writ/contracts/writ/registry/v1/blueprint.js';
import { CertificateServiceService } from '@writ/contracts/writ/registry/v1/certificate.js';
import { PersonServiceService } from '@writ/contracts/writ/registry/v1/person.js';
import { DelegationServiceService } from '@writ/contracts/writ/session/v1/delegation.js';
import { LockServiceService } from '@writ/contracts/writ/session/v1/lock.js';
import { MandateServiceService } from '@writ/contracts/writ/session/v1/mandate.js';
import { SessionServiceService } from '@writ/contracts/writ/session/v1/session.js';
import { LeaseServiceService } from '@writ/contracts/writ/vault/v1/lease.js';
import { SecretServiceService } from '@writ/contracts/writ/vault/v1/secret.js';
import {
  connect,
  type Definition,
  type Identity,
  type SuiteRecord,
  SystemClock,
  serviceSpiffeId,
} from '@writ/service';
import type { SuiteService } from './suite.js';

/** Everything a suite can be asked, as one caller. */
export type Clients = ReturnType<typeof clientsOf>;

const clock = new SystemClock();

/** Clients of all services over mutual TLS, as whoever holds `identity`. */
export function clientsOf(record: SuiteRecord, identity: Identity) {
  const open: { close: () => void }[] = [];
  const of = <Def extends Definition>(service: SuiteService, definition: Def) => {
    const address = record.endpoints[service];
    if (address === undefined) throw new Error(`the suite has no \`${service}\``);
    const serverSpiffeId = serviceSpiffeId(record.trustDomain, service);
    const client = connect({ identity, address, serverSpiffeId, definition, clock });
    open.push(client);
    return client;
  };
  return {
    people: of('registry', PersonServiceService),
    agents: of('registry', AgentServiceService),
    blueprints: of('registry', BlueprintServiceService),
    certificates: of('registry', CertificateServiceService),
    mandates: of('session-broker', MandateServiceService),
    delegations: of('session-broker', DelegationServiceService),
    sessions: of('session-broker', SessionServiceService),
    locks: of('session-broker', LockServiceService),
    decisions: of('policy-engine', DecisionServiceService),
    policySets: of('policy-engine', PolicySetServiceService),
    approvals: of('approvals', ApprovalServiceService),
    secrets: of('vault', SecretServiceService),
    leases: of('vault', LeaseServiceService),
    ledger: of('audit', LedgerServiceService),
    close: () => {
      for (const client of open) client.close();
    },
  };
}
