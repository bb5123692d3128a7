import { spawn } from 'node:child_process';

// The shell waits for its standard input to end, which happens when this process ends, however it ends. Interrupts of a
// terminal reach the whole group, so it ignores them and outlives them by the moment it needs.
const script = `
trap '' INT TERM HUP
cat > /dev/null
if [ -f "$1/data/postmaster.pid" ]; then
  pid=$(head -n 1 "$1/data/postmaster.pid")
  kill -INT "$pid"
  tries=0
  while kill -0 "$pid" && [ $tries -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
  kill -KILL "$pid"
fi
rm -rf "$1"
`;

/**
 * Removes the folder of a local PostgreSQL, and ends the server in it, once this process is gone without having done so:
 * killed, crashed, or a test worker that was shut down.
 */
export function reapDirectory(directory: string): { release(): void } {
  const reaper = spawn('/bin/sh', ['-c', script, 'reaper', directory], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  });
  reaper.unref();
  const input = reaper.stdin;
  // The shell may be gone before us; nothing is ever written to it.
  input.on('error', () => undefined);
  if ('unref' in input && typeof input.unref === 'function') input.unref();
  return { release: () => input.end() };
}
