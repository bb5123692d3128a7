import { run } from '@writ/service';
import { policyEngineService } from './policy-engine.module.js';

await run(policyEngineService);
