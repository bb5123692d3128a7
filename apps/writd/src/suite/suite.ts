import type { Home, SuiteRecord } from '@writ/service';

/** The six services of a suite, in the order in which they start. */
export const suiteServices = [
  'registry',
  'session-broker',
  'policy-engine',
  'approvals',
  'vault',
  'audit',
] as const;
export type SuiteService = (typeof suiteServices)[number];

/** A suite that runs, in one process or in many. */
export interface Suite {
  readonly home: Home;
  readonly record: SuiteRecord;
  /** Of the database server, as its owner: for the databases of a demo, never for the services. */
  ownerUrl(database: string): string;
  createDatabase(name: string): Promise<void>;
  /** Ends every service in order, then the broker and the database. */
  stop(): Promise<void>;
}

/** How far a start has come, for whoever watches it. */
export type Progress = (line: string) => void;
