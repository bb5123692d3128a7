import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Database } from '@writ/event-store';
import { World } from '@writ/testing/world.js';
import { DecisionApprovals } from '../src/approval/decision-approval.store.js';
import { EndedSessions } from '../src/approval/ended-session.store.js';
import { approvalsService } from '../src/approvals.module.js';
import { ApproverReactions } from '../src/approver/approver.reactions.js';

let world: World;
let database: Database;

beforeAll(async () => {
  world = await World.start();
  const url = await world.databaseOf(approvalsService);
  database = new Database({ url, applicationName: 'a test', connectionsMax: 10 });
}, 60_000);

afterAll(async () => {
  await database?.close();
  await world?.stop();
});

describe('ten replicas that start at once on a fresh database', () => {
  it.each([
    ['decision_approval', DecisionApprovals],
    ['ended_session', EndedSessions],
    ['approver_key', ApproverReactions],
  ] as const)('make the table `%s` once, and none of them fails', async (table, Maker) => {
    // Connections that are open already are what makes them meet.
    await Promise.all(Array.from({ length: 10 }, () => database.query('select pg_sleep(0.05)')));
    for (let round = 0; round < 5; round += 1) {
      await database.query(`drop table if exists approvals_view.${table}`);
      await Promise.all(Array.from({ length: 10 }, () => new Maker(database).onModuleInit()));
    }
    const { rows } = await database.query(`select * from approvals_view.${table}`);
    expect(rows).toEqual([]);
  });
});
