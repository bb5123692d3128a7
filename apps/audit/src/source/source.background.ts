import { Injectable } from '@nestjs/common';
import { Background, Clock, every, Telemetry } from '@writ/service';
import { AuditTelemetry } from '../telemetry.js';
import { type Gap, observeGaps } from './gap.js';
import { SourceView } from './source.view.js';

const LOOK_EVERY_MS = 1_000;

/** Looks for facts that are missing between others, and raises the alarm when they stay missing. */
@Injectable()
export class SourceWatch extends Background {
  private readonly telemetry: AuditTelemetry;
  private readonly gaps = new Map<string, readonly Gap[]>();
  private end: (() => Promise<void>) | undefined;

  constructor(
    private readonly sources: SourceView,
    private readonly clock: Clock,
    telemetry: Telemetry,
  ) {
    super();
    this.telemetry = new AuditTelemetry(telemetry.log);
  }

  override async start(): Promise<void> {
    this.end = every(
      LOOK_EVERY_MS,
      () => this.look(),
      (cause) => this.telemetry.gapsUnknown(cause),
    );
  }

  override async stop(): Promise<void> {
    await this.end?.();
  }

  private async look(): Promise<void> {
    const missing = await this.sources.missing();
    const nowMs = this.clock.monotonicMs();
    for (const [source, ranges] of missing) {
      const { gaps, overdue } = observeGaps(this.gaps.get(source) ?? [], ranges, nowMs);
      this.gaps.set(source, gaps);
      this.telemetry.gapsNow(source, gaps, nowMs);
      if (overdue.length > 0) this.telemetry.gapsOverdue(source, overdue);
    }
  }
}
