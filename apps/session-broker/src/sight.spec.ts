import { describe, expect, it } from '@jest/globals';
import { sees } from './sight.js';

const parties = { agentIds: ['agt_a', 'agt_b'], personId: 'psn_ana' };

describe('what is in sight', () => {
  it('is everything for those who may read all', () =>
    expect(sees({ agentId: '', personId: '' }, parties)).toBe(true));
  it('is what an agent takes part in', () => {
    expect(sees({ agentId: 'agt_b', personId: '' }, parties)).toBe(true);
    expect(sees({ agentId: 'agt_c', personId: '' }, parties)).toBe(false);
  });
  it('is what a person answers for', () => {
    expect(sees({ agentId: '', personId: 'psn_ana' }, parties)).toBe(true);
    expect(sees({ agentId: '', personId: 'psn_ben' }, parties)).toBe(false);
  });
});
