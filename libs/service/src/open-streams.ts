import type { EventEmitter } from 'node:events';
import { Refusal } from '@writ/kernel';
import { toWire } from './errors.js';

/** The streams that are open now. A server with one open stream never closes by itself, so a stop ends them first. */
export class OpenStreams {
  readonly #open = new Map<EventEmitter, { readonly path: string; readonly callId: string }>();

  /** Returns how to forget the stream. */
  add(stream: EventEmitter, path: string, callId: string): () => void {
    this.#open.set(stream, { path, callId });
    return () => this.#open.delete(stream);
  }

  get count(): number {
    return this.#open.size;
  }

  /** Ends every stream with UNAVAILABLE: clients connect to another replica and go on. */
  endAll(): void {
    for (const [stream, { callId }] of this.#open) {
      const wire = toWire(
        new Refusal('SHUTTING_DOWN', 'unavailable', 'the server is stopping; connect again'),
        callId,
      );
      stream.emit('error', Object.assign(new Error(wire.details), wire));
    }
  }
}
