import { Module } from '@nestjs/common';
import type { ServiceDefinition } from '@writ/service';
import { BrokerSettings } from './broker-settings.js';
import { DelegationRpc } from './delegation/delegation.rpc.js';
import { DelegationView } from './delegation/delegation.view.js';
import { LockRpc } from './lock/lock.rpc.js';
import { MandateRpc } from './mandate/mandate.rpc.js';
import { MandateView } from './mandate/mandate.view.js';
import { PartyDirectory, partyMigrations } from './party/party.store.js';
import { Assertions, assertionMigrations } from './session/assertion.store.js';
import { SessionEnding } from './session/session.background.js';
import { SessionReactions } from './session/session.reactions.js';
import { SessionRpc } from './session/session.rpc.js';
import { SessionView } from './session/session.view.js';
import { SessionChain } from './session/session-chain.store.js';
import { SessionsDue, sessionDueMigrations } from './session/session-due.store.js';
import { SessionTokens } from './session/session-token.store.js';
import { Sights } from './sight.js';
import { TokenSigner } from './signing-key/signing-key.store.js';
import { StopFeed } from './stop/stop.background.js';
import { WatchRpc } from './stop/stop.rpc.js';
import { StopView } from './stop/stop.view.js';

@Module({ providers: [PartyDirectory, Sights, SessionChain, SessionsDue, SessionTokens, Assertions] })
export class SessionBrokerModule {}

/** Mandates, delegations, sessions and their tokens; and the stop orders that end them. */
export const sessionBrokerService: ServiceDefinition = {
  name: 'session-broker',
  module: SessionBrokerModule,
  edges: [MandateRpc, DelegationRpc, SessionRpc, LockRpc, WatchRpc],
  // The order matters for a session's row: it looks up the agents of its chain in the two before it.
  views: [MandateView, DelegationView, SessionView, StopView],
  reactions: [SessionReactions],
  background: [TokenSigner, StopFeed, SessionEnding],
  migrations: [...partyMigrations, ...assertionMigrations, ...sessionDueMigrations],
  settings: BrokerSettings,
};
