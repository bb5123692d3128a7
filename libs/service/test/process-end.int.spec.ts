import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

// As it was compiled: another process loads it, without Jest.
const compiled = (file: string) => join(import.meta.dirname, '../dist', file);

const END_WITH_A_SPAN = `
  import { trace } from '@opentelemetry/api';
  import { endProcess } from ${JSON.stringify(compiled('process-end.js'))};
  trace.getTracer('test').startSpan('the last span').end();
  await endProcess(3);
`;

let collector: Server;
let answering: boolean;
let received: string[];

beforeEach(async () => {
  answering = true;
  received = [];
  collector = createServer(async (request, response) => {
    received.push(await text(request));
    if (answering) response.setHeader('content-type', 'application/json').end('{}');
  });
  await once(collector.listen(0, '127.0.0.1'), 'listening');
});

afterEach(() => {
  collector.closeAllConnections();
  collector.close();
});

/** Runs a process with OpenTelemetry that ends at once, and tells its exit code and how long the end took. */
async function endOfProcess(): Promise<{ code: number; endMs: number }> {
  const { port } = collector.address() as AddressInfo;
  const script = `const t = performance.now(); process.once('exit', () => console.log(performance.now() - t));`;
  const child = spawn(
    process.execPath,
    [
      '--import',
      compiled('otel.js'),
      '--input-type=module',
      '-e',
      `${END_WITH_A_SPAN.replace('await', `${script} await`)}`,
    ],
    {
      cwd: join(import.meta.dirname, '..'),
      stdio: ['ignore', 'pipe', 'inherit'],
      env: {
        PATH: process.env.PATH,
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
        OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
        OTEL_METRICS_EXPORTER: 'none',
        OTEL_LOGS_EXPORTER: 'none',
      },
    },
  );
  const [printed, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return { code, endMs: Number(printed) };
}

describe('the end of a process', () => {
  it('waits until its last spans are sent', async () => {
    expect(await endOfProcess()).toMatchObject({ code: 3 });
    expect(received.join('')).toContain('the last span');
  });

  it('does not wait longer than about a second for a collector that hangs', async () => {
    answering = false;
    const { code, endMs } = await endOfProcess();
    expect(code).toBe(3);
    expect(received.join('')).toContain('the last span');
    expect(endMs).toBeLessThan(2_000);
  });
});
