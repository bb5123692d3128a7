import { run } from '@writ/service';
import { vaultService } from './vault.module.js';

await run(vaultService);
