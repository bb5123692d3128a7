import { runCorpus } from './corpus.js';

/** What a reader needs to find the first mistakes. */
const DIFFERING_SHOWN_MAX = 20;

const [folder, second] = process.argv.slice(2);
if (folder === undefined || second !== undefined) {
  process.stderr.write('usage: npm run cedar:corpus -- <folder>\n');
  process.exit(2);
}
const { cases, requests, differing, byFallback } = runCorpus(folder);
for (const line of differing.slice(0, DIFFERING_SHOWN_MAX)) process.stdout.write(`${line}\n`);
process.stdout.write(
  `cases ${cases}, requests ${requests}, differing ${differing.length}, by fallback ${byFallback}\n`,
);
process.exit(differing.length === 0 ? 0 : 1);
