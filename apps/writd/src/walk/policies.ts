import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { refusalOf } from '@writ/service';
import { expectThat, type Stage } from './stage.js';

/** Validating a set takes longer than a call usually may on a busy machine. */
const APPLY_MS_MAX = 20_000;

/** The starter policies, where no set is active yet: people's own policies are never replaced by ours. */
export async function applyStarterPolicies(stage: Stage): Promise<void> {
  const { policySets } = stage.operator.clients;
  const active = await policySets.getPolicySet({ policySetId: '' }).catch((error: unknown) => {
    if (refusalOf(error)?.status === 'NOT_FOUND') return undefined;
    throw error;
  });
  if (active !== undefined) return;
  const fileOf = (name: string) => {
    const root = fileURLToPath(new URL('..', import.meta.resolve('@writ/policy-engine/main.js')));
    return readFileSync(`${root}policies/starter/${name}`, 'utf8');
  };
  const applied = await policySets.applyPolicySet(
    {
      policies: [fileOf('access.cedar'), fileOf('finance.cedar')].join('\n'),
      schema: fileOf('schema.cedarschema'),
      note: 'starter policies',
      etag: '',
      requestId: '',
      validateOnly: false,
      tests: [],
    },
    { deadlineMs: APPLY_MS_MAX },
  );
  expectThat('the starter policies are accepted', applied.active, applied);
}
