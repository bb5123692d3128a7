import { settings, settingsClass } from '@writ/service';

/** What the session-broker needs beside what every service is told. What guards something has no default. */
export class BrokerSettings extends settingsClass({
  tokenIssuer: settings.text({ doc: 'the `iss` of access tokens, and the `aud` that assertions must have' }),
  tokenAudience: settings.text({ doc: 'the `aud` of access tokens' }),
  signingKeyFile: settings.text({
    doc: 'file with the private key of access tokens, readable by this service only; made at the first start',
  }),
}) {}
