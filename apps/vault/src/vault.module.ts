import { Module } from '@nestjs/common';
import { Clock, type ServiceDefinition, SigningKeys, TokenVerifier } from '@writ/service';
import { DatabaseRoleView } from './database-role/database-role.view.js';
import { Decisions } from './decision/decision.client.js';
import { LeaseRevocation } from './lease/lease.background.js';
import { LeaseFlow } from './lease/lease.flow.js';
import { DatabaseCredentials } from './lease/lease.provider.js';
import { LeaseReactions } from './lease/lease.reactions.js';
import { LeaseRpc } from './lease/lease.rpc.js';
import { LeaseView } from './lease/lease.view.js';
import { LeaseBackend } from './lease/lease-backend.flow.js';
import { LeaseCommands } from './lease/lease-command.flow.js';
import { LeaseLocks } from './lease/lease-lock.background.js';
import { LeaseMaking, leaseMakingMigrations } from './lease/lease-making.store.js';
import { PostgresCredentials } from './lease/postgres-lease.provider.js';
import { LockWatch } from './lock/lock.background.js';
import { Locks } from './lock/lock-sink.store.js';
import { FileKeys } from './secret/file-kek.provider.js';
import { KeyProvider } from './secret/kek.provider.js';
import { SecretFlow } from './secret/secret.flow.js';
import { SecretRpc } from './secret/secret.rpc.js';
import { SecretView } from './secret/secret.view.js';
import { SecretValues, secretValueMigrations } from './secret/secret-value.store.js';
import { KnownSessions } from './session/session.store.js';
import { SessionGate } from './session/session-gate.flow.js';
import { VaultSettings } from './vault.settings.js';

@Module({
  providers: [
    SecretFlow,
    SecretValues,
    LeaseFlow,
    LeaseCommands,
    LeaseBackend,
    LeaseMaking,
    Locks,
    Decisions,
    SessionGate,
    KnownSessions,
    {
      provide: KeyProvider,
      inject: [VaultSettings, Clock],
      useFactory: ({ keyFile }: VaultSettings, clock: Clock) =>
        FileKeys.open(keyFile, (count) => clock.randomBytes(count)),
    },
    {
      provide: DatabaseCredentials,
      inject: [VaultSettings, Clock],
      useFactory: ({ scramIterations, leaseConnections }: VaultSettings, clock: Clock) =>
        new PostgresCredentials({
          randomBytes: (count) => clock.randomBytes(count),
          scramIterations,
          connectionsMax: leaseConnections,
        }),
    },
    {
      provide: TokenVerifier,
      inject: [VaultSettings, SigningKeys],
      useFactory: ({ tokenIssuer, tokenAudience }: VaultSettings, keys: SigningKeys) =>
        new TokenVerifier({ issuer: tokenIssuer, audience: tokenAudience, keys }),
    },
  ],
})
export class VaultModule {}

/** Secrets under envelope encryption, and database credentials that die with their session. */
export const vaultService: ServiceDefinition = {
  name: 'vault',
  module: VaultModule,
  edges: [SecretRpc, LeaseRpc],
  views: [SecretView, DatabaseRoleView, LeaseView],
  reactions: [LeaseReactions, SigningKeys],
  background: [SigningKeys, LeaseRevocation, LeaseLocks, LockWatch],
  settings: VaultSettings,
  migrations: [...secretValueMigrations, ...leaseMakingMigrations],
};
