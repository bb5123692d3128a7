import { settings, settingsClass } from '@writ/service';

/** What the vault needs beside what every service is told. What guards something has no default. */
export class VaultSettings extends settingsClass({
  keyFile: settings.text({ doc: 'file with the key-encryption keys, readable by this service only' }),
  policyEngineAddress: settings.address({ doc: 'gRPC of the policy-engine' }),
  sessionBrokerAddress: settings.address({ doc: 'gRPC of the session-broker, for stop orders' }),
  tokenIssuer: settings.text({ doc: 'the `iss` that access tokens must have' }),
  tokenAudience: settings.text({ doc: 'the `aud` that access tokens must have' }),
  scramIterations: settings.integer({
    doc: 'SCRAM iterations of database passwords; RFC 7677 asks for 4096, generated passwords need 1',
    fallback: 4_096,
    min: 1,
    max: 1_000_000,
  }),
  leaseConnections: settings.integer({
    doc: 'connections that one database credential may have at a time',
    fallback: 10,
    min: 1,
    max: 1_000,
  }),
}) {}
