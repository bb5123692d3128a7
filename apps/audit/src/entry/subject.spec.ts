import { describe, expect, it } from '@jest/globals';
import { subjectsOf } from './subject.js';

const ulid = (end: string) => `01K41M7JG000000000000000${end}`.slice(0, 26).padEnd(26, '0');
const agentId = `agt_${ulid('A1')}`;
const personId = `psn_${ulid('P1')}`;
const mandateId = `mdt_${ulid('M1')}`;
const ids = (message: unknown) => subjectsOf(message).ids;

describe('the subjects of a fact', () => {
  it('are the ids it names, at any depth, each once', () => {
    const message = { agentId, nested: { list: [{ personId }, { again: agentId }] }, at: new Date(0), n: 4n };
    expect(ids(message)).toEqual([agentId, personId]);
  });

  it('include ids behind a prefix: limit keys and SPIFFE IDs', () => {
    expect(ids({ key: `mandate:${mandateId}`, spiffeId: `spiffe://writ/agent/${agentId}` })).toEqual([
      mandateId,
      agentId,
    ]);
  });

  it('exclude ids in free text, so that nobody is filed under somebody else', () => {
    expect(ids({ reason: `it was ${personId}`, note: `${personId} did it` })).toEqual([]);
  });

  it('exclude what only looks like an id', () => {
    expect(
      ids({ a: `xyz_${ulid('A')}`, b: 'agt_short', c: `agt_${'I'.repeat(26)}`, d: '', e: undefined }),
    ).toEqual([]);
  });

  it('come with the task the fact names', () => {
    expect(subjectsOf({ task: 'run-7' }).task).toBe('run-7');
    expect(subjectsOf({ task: 7 }).task).toBe('');
    expect(subjectsOf(undefined)).toEqual({ ids: [], task: '' });
  });
});
