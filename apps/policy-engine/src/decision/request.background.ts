import { Injectable } from '@nestjs/common';
import { Background, Clock, every } from '@writ/service';
import { PolicyTelemetry } from '../telemetry.js';
import { DecisionRecorder } from './decision.store.js';

const sweepEveryMs = 10 * 60 * 1000;

/** Forgets request ids after a day. */
@Injectable()
export class RequestSweep extends Background {
  #stop: (() => Promise<void>) | undefined;

  constructor(
    private readonly recorder: DecisionRecorder,
    private readonly clock: Clock,
    private readonly telemetry: PolicyTelemetry,
  ) {
    super();
  }

  async start(): Promise<void> {
    const sweep = () => this.recorder.forget(this.clock.now());
    this.#stop = every(sweepEveryMs, sweep, (cause) => this.telemetry.sweepFailed(cause));
  }

  async stop(): Promise<void> {
    await this.#stop?.();
  }
}
