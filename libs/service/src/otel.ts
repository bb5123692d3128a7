import { createRequire, register } from 'node:module';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import { NodeSDK } from '@opentelemetry/sdk-node';
import { beforeEnd } from './process-end.js';

/**
 * Starts OpenTelemetry when loaded with `node --import @writ/service/otel.js`. Traces go where the standard variables
 * (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME`, …) say, metrics to Prometheus on 127.0.0.1. gRPC and the bus carry
 * and record their spans by hand; only PostgreSQL is instrumented from outside.
 */
const exportsTraces =
  process.env.OTEL_TRACES_EXPORTER !== undefined || process.env.OTEL_EXPORTER_OTLP_ENDPOINT !== undefined;
// Before the SDK: modules that are loaded earlier are not seen. Every later import passes through the hook's thread, which
// makes a start slower, so it is there only when somebody collects the spans.
if (exportsTraces) {
  const hook = createRequire(import.meta.url).resolve('@opentelemetry/instrumentation/hook.mjs');
  register(new URL(`file://${hook}`).href, import.meta.url);
} else process.env.OTEL_TRACES_EXPORTER = 'none';

const port = Number(process.env.WRIT_METRICS_PORT ?? Number.NaN);

const sdk = new NodeSDK({
  metricReaders: Number.isInteger(port) ? [new PrometheusExporter({ host: '127.0.0.1', port })] : [],
  // Statements are recorded, their values are not.
  instrumentations: exportsTraces
    ? [new PgInstrumentation({ requireParentSpan: true, enhancedDatabaseReporting: false })]
    : [],
});
sdk.start();

// Spans are sent in batches: those of the last seconds would be lost at each stop.
beforeEnd(() => sdk.shutdown());
process.once('beforeExit', () => {
  void sdk.shutdown();
});
