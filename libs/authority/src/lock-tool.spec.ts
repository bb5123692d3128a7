import { describe, expect, it } from '@jest/globals';
import { toolsOf } from './lock-tool.js';

describe('the tools of an action', () => {
  it('are its type, its location and what it is done to', () => {
    const action = { type: 'database', location: 'erp-reader', identifier: 'dbr_01K41M7JG0000000000000000A' };
    expect(toolsOf(action)).toEqual([
      { kind: 'tool', id: 'database' },
      { kind: 'tool', id: 'erp-reader' },
      { kind: 'tool', id: 'dbr_01K41M7JG0000000000000000A' },
    ]);
  });

  it.each([{ type: 'database' }, { type: 'database', location: '', identifier: '' }])(
    'are never an empty name, which a lock on everything has: %j',
    (action) => expect(toolsOf(action)).toEqual([{ kind: 'tool', id: 'database' }]),
  );
});
