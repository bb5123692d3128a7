import { run } from '@writ/service';
import { auditService } from './audit.module.js';

await run(auditService);
