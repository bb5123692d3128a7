// npm run cedar:corpus -- <folder>: runs the cases of a folder in the format of cedar-integration-tests through `libs/cedar`.
// Ends with `cases N, requests N, differing N, by fallback N`; the exit code is 1 if any differs or cannot be read.
import { build, install, node24, run } from './bootstrap.mjs';

await install();
await build();
const { code } = await run(node24, ['libs/cedar/dist/corpus-main.js', ...process.argv.slice(2)], {
  cwd: process.cwd(),
});
process.exit(code);
