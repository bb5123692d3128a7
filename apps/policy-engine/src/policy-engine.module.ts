import { Module } from '@nestjs/common';
import { Clock, type ServiceDefinition, SigningKeys, TokenVerifier } from '@writ/service';
import { AuthzenHttp } from './authzen/authzen.http.js';
import { Evaluations } from './authzen/evaluation.flow.js';
import { Searches } from './authzen/search.flow.js';
import { Decisions } from './decision/decision.flow.js';
import { DecisionRpc } from './decision/decision.rpc.js';
import { DecisionRecorder } from './decision/decision.store.js';
import { DecisionView } from './decision/decision.view.js';
import { KnowledgeFeed } from './decision/knowledge.background.js';
import { KnowledgeReactions } from './decision/knowledge.reactions.js';
import { KnowledgeStore } from './decision/knowledge.store.js';
import { Locks } from './decision/locks.background.js';
import { PresentedTokens } from './decision/presented-token.store.js';
import { RequestSweep } from './decision/request.background.js';
import { PolicyEngineSettings } from './policy-engine.settings.js';
import { ActivePolicies } from './policy-set/active-policies.store.js';
import { CedarLanguage } from './policy-set/cedar.provider.js';
import { PolicyLanguage } from './policy-set/policies.provider.js';
import { PolicySetRpc } from './policy-set/policy-set.rpc.js';
import { PolicySetView } from './policy-set/policy-set.view.js';
import { PolicyTelemetry } from './telemetry.js';

@Module({
  providers: [
    ActivePolicies,
    DecisionRecorder,
    Decisions,
    Evaluations,
    KnowledgeStore,
    PolicyTelemetry,
    PresentedTokens,
    Searches,
    {
      provide: PolicyLanguage,
      inject: [PolicyEngineSettings, Clock, PolicyTelemetry],
      useFactory: (
        { cedarShadowOneIn: shadowOneIn }: PolicyEngineSettings,
        clock: Clock,
        telemetry: PolicyTelemetry,
      ) => new CedarLanguage({ shadowOneIn, clock, telemetry }),
    },
    {
      provide: TokenVerifier,
      inject: [PolicyEngineSettings, SigningKeys],
      useFactory: (
        { tokenIssuer: issuer, tokenAudience: audience }: PolicyEngineSettings,
        keys: SigningKeys,
      ) => new TokenVerifier({ issuer, audience, keys }),
    },
  ],
})
export class PolicyEngineModule {}

/** Decides whether an agent may do what it is about to do, and keeps the policies by which it decides. */
export const policyEngineService: ServiceDefinition = {
  name: 'policy-engine',
  module: PolicyEngineModule,
  edges: [DecisionRpc, PolicySetRpc],
  httpEdges: [AuthzenHttp],
  views: [DecisionView, PolicySetView],
  reactions: [SigningKeys, KnowledgeReactions],
  background: [SigningKeys, KnowledgeFeed, Locks, RequestSweep],
  settings: PolicyEngineSettings,
};
