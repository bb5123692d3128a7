// npm start, npm run suite: from a fresh clone to a running suite. Arguments go on to writd.
import { spawn } from 'node:child_process';
import { build, environment, install, node24, root, writdArguments } from './bootstrap.mjs';

await install();
await build();

const child = spawn(node24, [...writdArguments, ...process.argv.slice(2)], {
  cwd: root,
  env: environment,
  stdio: 'inherit',
});
// A terminal sends its interrupt to the whole group; writd stops in order and we end when it has.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('close', (code) => process.exit(code ?? 1));
