import { run } from '@writ/service';
import { registryService } from './registry.module.js';

await run(registryService);
