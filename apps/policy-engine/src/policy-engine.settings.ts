import { settings, settingsClass } from '@writ/service';

/** What the policy engine needs beside what every service has. */
export class PolicyEngineSettings extends settingsClass({
  sessionBrokerAddress: settings.address({ doc: 'gRPC of the session-broker, for stop orders' }),
  tokenIssuer: settings.text({ doc: 'the `iss` that access tokens must have' }),
  tokenAudience: settings.text({ doc: 'the `aud` that access tokens must have' }),
  factsAgeMsMax: settings.integer({
    doc: 'milliseconds since facts were last read after which everything is denied',
    fallback: 3_000,
    min: 500,
    max: 60_000,
  }),
  cedarShadowOneIn: settings.integer({
    doc: 'one question to the policies in so many is evaluated by the reference of Cedar too',
    fallback: 1_000,
    min: 1,
    max: 1_000_000,
  }),
}) {}
