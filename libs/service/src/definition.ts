import type { Type } from '@nestjs/common';
import type { FactConsumer, Reactions } from '@writ/event-bus';
import type { Migration, View } from '@writ/event-store';
import type { Call } from '@writ/kernel';
import type { EdgeClass } from './edge.js';
import type { HttpEdgeClass } from './http/http-edge.js';
import type { ServiceName } from './service-name.js';
import type { AnySettingsClass } from './settings.js';

/** Work that goes on without a call: timers, feeds. Stopped before the server is. */
export abstract class Background {
  abstract start(): Promise<void>;
  /** MUST resolve within a second or so: a process has five in all. */
  abstract stop(): Promise<void>;
}

/**
 * A service, whole. Every class named here is built by Nest, once, in the scope of `module`, whose decorator lists only
 * what else they need: ports and their carriers.
 */
export interface ServiceDefinition {
  readonly name: ServiceName;
  readonly module: Type;
  readonly edges: readonly EdgeClass[];
  /** Public HTTP APIs, on an address of their own: `WRIT_HTTP_LISTEN`. */
  readonly httpEdges?: readonly HttpEdgeClass[];
  /** Read models of the service's own facts. */
  readonly views: readonly Type<View>[];
  /** What it does about facts of others. */
  readonly reactions: readonly Type<Reactions>[];
  readonly background?: readonly Type<Background>[];
  /** Tables of its own beside facts and read models: what cannot be rebuilt by replay. Run by whoever migrates. */
  readonly migrations?: readonly Migration[];
  /** The service's own settings, beside those that every service has. */
  readonly settings?: AnySettingsClass;
}

/** Makes the `Call` with which the service acts by itself: a timer, a feed. Nobody else's name, a trace of its own. */
export abstract class OwnCalls {
  /** @param cause what made it act, such as `timer:expire-sessions` */
  abstract next(cause: string): Call;
}

/** The running consumers, by the class of their reactions: for positions, dead letters and redrive. */
export abstract class Consumers {
  abstract of(reactions: Type<Reactions>): FactConsumer;
}
