import { describe, expect, it } from '@jest/globals';
import { type Decider, refusals } from '@writ/kernel';
import { givenFor } from './decider.js';

type Door = { type: 'DoorOpened'; data: { by: string } };
const refuse = refusals({ DOOR_OPEN: 'conflict' });
const door: Decider<number, { type: 'OpenDoor'; by: string }, Door> = {
  initialState: () => 0,
  decide(command, opened) {
    if (command.by === 'nobody') return [];
    if (command.by === 'a ghost') throw new Error('a bug');
    if (opened > 0) throw refuse('DOOR_OPEN', 'the door is open');
    return [{ type: 'DoorOpened', data: { by: command.by } }];
  },
  evolve: (opened) => opened + 1,
};
const given = givenFor(door);
const open = (by: string) => ({ type: 'OpenDoor', by }) as const;
const opened = (by: string): Door => ({ type: 'DoorOpened', data: { by } });

describe('a sentence about a decider', () => {
  it('holds when the facts are the expected ones', () => given().when(open('ana')).then(opened('ana')));
  it('holds when nothing happens', () => given(opened('ana')).when(open('nobody')).thenNothing());
  it('holds when the rule refuses', () => given(opened('ana')).when(open('ben')).thenRefused('DOOR_OPEN'));

  it('fails when another fact was expected', () => {
    expect(() => given().when(open('ana')).then(opened('ben'))).toThrow();
    expect(() => given().when(open('ana')).then()).toThrow();
    expect(() => given().when(open('ana')).then(opened('ana'), opened('ana'))).toThrow();
  });
  it('fails when nothing was expected and something happened', () => {
    expect(() => given().when(open('ana')).thenNothing()).toThrow();
  });
  it('fails when a refusal was expected and none came, or another', () => {
    expect(() => given().when(open('ana')).thenRefused('DOOR_OPEN')).toThrow('not refused');
    expect(() => given(opened('ana')).when(open('ben')).thenRefused('DOOR_SHUT')).toThrow();
  });
  it('does not take a bug for a refusal', () => {
    expect(() => given().when(open('a ghost')).thenRefused('DOOR_OPEN')).toThrow('a bug');
  });
  it('fails when it has no end', async () => {
    const outcome: unknown = given().when(open('ana'));
    await expect(Promise.resolve(outcome)).rejects.toThrow();
  });
});
