// npm run build: installs what is missing, makes the contracts, compiles everything.
import { build, install } from './bootstrap.mjs';

await install();
await build();
