import { approvalsService } from '@writ/approvals/approvals.module.js';
import { auditService } from '@writ/audit/audit.module.js';
import { policyEngineService } from '@writ/policy-engine/policy-engine.module.js';
import { registryService } from '@writ/registry/registry.module.js';
import type { ServiceDefinition } from '@writ/service';
import { sessionBrokerService } from '@writ/session-broker/session-broker.module.js';
import { vaultService } from '@writ/vault/vault.module.js';
import type { SuiteService } from './suite.js';

export const definitions: Readonly<Record<SuiteService, ServiceDefinition>> = {
  registry: registryService,
  'session-broker': sessionBrokerService,
  'policy-engine': policyEngineService,
  approvals: approvalsService,
  vault: vaultService,
  audit: auditService,
};
