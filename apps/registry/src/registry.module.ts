import { Module } from '@nestjs/common';
import {
  Clock,
  Identity,
  openTrustDomain,
  type ServiceDefinition,
  settings,
  settingsClass,
  TrustDomain,
} from '@writ/service';
import { AgentOrphaning } from './agent/agent.background.js';
import { AgentMessages } from './agent/agent.message.js';
import { AgentReactions } from './agent/agent.reactions.js';
import { AgentRpc } from './agent/agent.rpc.js';
import { AgentView } from './agent/agent.view.js';
import { AgentsDue, agentDueMigrations } from './agent/agent-due.store.js';
import { AgentParties } from './agent/agent-parties.flow.js';
import { BlueprintRpc } from './blueprint/blueprint.rpc.js';
import { BlueprintView } from './blueprint/blueprint.view.js';
import { CertificateRpc } from './certificate/certificate.rpc.js';
import { PersonRpc } from './person/person.rpc.js';
import { PersonView } from './person/person.view.js';
import { ProfileStore, profileMigrations } from './person/profile.store.js';

export class RegistrySettings extends settingsClass({
  trustDomainDir: settings.text({
    doc: 'folder of the certificate authority, readable by this service only',
  }),
}) {}

@Module({
  providers: [
    AgentParties,
    AgentMessages,
    AgentsDue,
    ProfileStore,
    {
      provide: TrustDomain,
      inject: [RegistrySettings, Identity, Clock],
      useFactory: ({ trustDomainDir }: RegistrySettings, { trustDomain }: Identity, clock: Clock) =>
        openTrustDomain({ name: trustDomain, dir: trustDomainDir, clock }),
    },
  ],
})
export class RegistryModule {}

/** People, agents, blueprints, and the certificates with which they prove themselves. */
export const registryService: ServiceDefinition = {
  name: 'registry',
  module: RegistryModule,
  edges: [PersonRpc, AgentRpc, BlueprintRpc, CertificateRpc],
  views: [PersonView, AgentView, BlueprintView],
  reactions: [AgentReactions],
  background: [AgentOrphaning],
  settings: RegistrySettings,
  migrations: [...profileMigrations, ...agentDueMigrations],
};
