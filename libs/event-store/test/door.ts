import { type Codec, type Facts, type StoredFact, type Tx, View } from '@writ/event-store';
import { type Decider, refusals, unreachable } from '@writ/kernel';

/** A noun that is small enough for the store's tests. */
export type DoorEvent =
  | { type: 'DoorOpened'; data: { by: string } }
  | { type: 'DoorLocked'; data: { reason: string } };
export type DoorCommand = { type: 'OpenDoor'; by: string } | { type: 'LockDoor'; reason: string };
export type Door = { opened: number; locked: boolean };

const refuse = refusals({ DOOR_LOCKED: 'precondition', NAME_TAKEN: 'conflict' });

export const doorDecider: Decider<Door, DoorCommand, DoorEvent> = {
  initialState: () => ({ opened: 0, locked: false }),
  decide(command, door) {
    switch (command.type) {
      case 'OpenDoor':
        if (door.locked) throw refuse('DOOR_LOCKED', 'the door is locked');
        return [{ type: 'DoorOpened', data: { by: command.by } }];
      case 'LockDoor':
        return door.locked ? [] : [{ type: 'DoorLocked', data: { reason: command.reason } }];
      default:
        return unreachable(command);
    }
  },
  evolve(door, event) {
    switch (event.type) {
      case 'DoorOpened':
        return { ...door, opened: door.opened + 1 };
      case 'DoorLocked':
        return { ...door, locked: true };
      default:
        return unreachable(event);
    }
  },
};

function jsonCodec<T>(): Codec<T> {
  return {
    encode: (message) => ({ finish: () => Buffer.from(JSON.stringify(message)) }),
    decode: (bytes) => JSON.parse(Buffer.from(bytes).toString()),
  };
}

export const doorFacts: Facts<DoorEvent> = { DoorOpened: jsonCodec(), DoorLocked: jsonCodec() };

/** How often each door was opened. Version 2 also keeps who was the last; both refuse the name `taken`. */
export class DoorView extends View {
  readonly name = 'door';
  readonly tables = `
    create table if not exists door_keeper_view.door (id text primary key, opened int not null, last_by text);
    create index if not exists door_opened on door_keeper_view.door (opened);`;
  constructor(readonly version: number) {
    super();
  }

  async apply({ type, streamId, data }: StoredFact, tx: Tx): Promise<void> {
    if (type !== 'DoorOpened') return;
    const { by } = doorFacts.DoorOpened.decode(data);
    if (by === 'taken') throw refuse('NAME_TAKEN', 'the name `taken` is taken');
    await tx.query(
      `insert into door_keeper_view.door as d values ($1, 1, $2)
       on conflict (id) do update set opened = d.opened + 1, last_by = excluded.last_by`,
      [streamId, this.version === 1 ? null : by],
    );
  }
}
