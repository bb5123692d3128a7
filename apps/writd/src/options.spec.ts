import { expect, it } from '@jest/globals';
import { usage } from './options.js';
import { portsFrom } from './suite/ports.js';

it('the usage names the first and the last port that a suite takes above its base', () => {
  const { services, postgres, authzen, metrics } = portsFrom(0);
  const taken = [...Object.values(services), postgres, authzen, ...Object.values(metrics)];
  expect(usage).toContain(` N+${Math.min(...taken)} to N+${Math.max(...taken)} `);
});
