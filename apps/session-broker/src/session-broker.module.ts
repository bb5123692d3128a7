import { Module } from '@nestjs/common';
import type { ServiceDefinition } from '@writ/service';
import { BrokerSettings } from './broker-settings.js';
import { DelegationRpc } from './delegation/delegation.rpc.js';
import { DelegationView } from './delegation/delegation.view.js';
import { LockRpc } from './lock/lock.rpc.js';
import { MandateRpc } from './mandate/mandate.rpc.js';
import { MandateView } from './mandate/mandate.view.js';
import { PartyDirectory } from './party/party.reactions.js';
import { Assertions } from './session/assertion.store.js';
import { SessionExpiry } from './session/session.background.js';
import { SessionChain } from './session/session.chain.js';
import { SessionEnding } from './session/session.end.js';
import { SessionReactions } from './session/session.reactions.js';
import { SessionRpc } from './session/session.rpc.js';
import { SessionTokens } from './session/session.token.js';
import { SessionView } from './session/session.view.js';
import { TokenSigner } from './signing-key/signing-key.store.js';
import { StopFeed } from './stop/stop.feed.js';
import { WatchRpc } from './stop/stop.rpc.js';
import { StopView } from './stop/stop.view.js';

@Module({ providers: [SessionChain, SessionEnding, SessionTokens, Assertions] })
export class SessionBrokerModule {}

/** Mandates, delegations, sessions and their tokens; and the stop orders that end them. */
export const sessionBrokerService: ServiceDefinition = {
  name: 'session-broker',
  module: SessionBrokerModule,
  edges: [MandateRpc, DelegationRpc, SessionRpc, LockRpc, WatchRpc],
  // The order matters for a session's row: it looks up the agents of its chain in the two before it.
  views: [MandateView, DelegationView, SessionView, StopView],
  reactions: [PartyDirectory, SessionReactions],
  background: [TokenSigner, StopFeed, SessionExpiry],
  settings: BrokerSettings,
};
