import { run } from '@writ/service';
import { approvalsService } from './approvals.module.js';

await run(approvalsService);
