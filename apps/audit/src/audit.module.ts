import { Module } from '@nestjs/common';
import { Bus } from '@writ/event-bus';
import { type ServiceDefinition, settings, settingsClass } from '@writ/service';
import { EntryReactions } from './entry/entry.reactions.js';
import { LedgerRpc } from './entry/entry.rpc.js';
import { ledgerMigrations } from './entry/entry.sql.js';
import { EntryAppend } from './entry/entry.store.js';
import { EntryView } from './entry/entry.view.js';
import { SiemForwarder, SiemSinks } from './siem/siem.background.js';
import { FileSink, type SiemSink, TopicSink } from './siem/siem.provider.js';
import { SiemCursors } from './siem/siem.view.js';
import { SourceWatch } from './source/source.background.js';
import { SourceView } from './source/source.view.js';
import { TraceView } from './trace/trace.view.js';

const MEBIBYTE = 1024 * 1024;

export class AuditSettings extends settingsClass({
  siemTopic: settings.flag({ doc: 'whether to publish OCSF events on `writ.siem.ocsf.v1`', fallback: true }),
  siemFileDir: settings.maybe(
    settings.text({ doc: 'folder for OCSF events as JSON lines; none without it' }),
  ),
  siemFileBytes: settings.integer({
    doc: 'size in bytes at which a file of events is closed',
    fallback: 64 * MEBIBYTE,
    min: MEBIBYTE,
    max: 1024 * MEBIBYTE,
  }),
  siemFiles: settings.integer({
    doc: 'closed files of events that are kept',
    fallback: 10,
    min: 1,
    max: 10_000,
  }),
}) {}

function sinksOf({ siemTopic, siemFileDir, siemFileBytes, siemFiles }: AuditSettings, bus: Bus): SiemSinks {
  const sinks: SiemSink[] = siemTopic ? [new TopicSink(bus)] : [];
  if (siemFileDir !== undefined)
    sinks.push(new FileSink({ directory: siemFileDir, fileBytesMax: siemFileBytes, filesMax: siemFiles }));
  return new SiemSinks(sinks);
}

@Module({
  providers: [
    EntryAppend,
    EntryView,
    SourceView,
    TraceView,
    SiemCursors,
    { provide: SiemSinks, inject: [AuditSettings, Bus], useFactory: sinksOf },
  ],
})
export class AuditModule {}

/** Every fact of every service, once, in one ledger; and what goes out to SIEMs. */
export const auditService: ServiceDefinition = {
  name: 'audit',
  module: AuditModule,
  edges: [LedgerRpc],
  views: [],
  reactions: [EntryReactions],
  background: [SourceWatch, SiemForwarder],
  settings: AuditSettings,
  migrations: ledgerMigrations,
};
