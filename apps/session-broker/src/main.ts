import { run } from '@writ/service';
import { sessionBrokerService } from './session-broker.module.js';

await run(sessionBrokerService);
