import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { OcsfEvent } from './ocsf.js';
import type { SiemSink } from './siem.provider.js';

/** A sink under test: `open` makes another instance on the same place, as after a crash of the process. */
export interface SinkPlace {
  open(): Promise<SiemSink>;
  /** What a receiver would read now, as it was given, repetitions included. */
  received(): Promise<OcsfEvent[]>;
  close(): Promise<void>;
}

export function eventNumber(index: number): OcsfEvent {
  return {
    time: 1_788_253_200_000 + index,
    metadata: { uid: `a-ledger/${index}`, sequence: index },
    message: 'ä "\n',
  };
}

/** What every sink promises; `siem.provider.ts` says why. */
export function siemSinkContract(name: string, place: () => Promise<SinkPlace>): void {
  describe(`a SIEM sink (${name})`, () => {
    let at: SinkPlace;
    beforeEach(async () => {
      at = await place();
    });
    afterEach(() => at.close());

    it('holds every event it has accepted, in order, as it was given', async () => {
      const sink = await at.open();
      await sink.open();
      await sink.deliver([eventNumber(0), eventNumber(1)]);
      await sink.deliver([eventNumber(2)]);
      expect(await at.received()).toEqual([0, 1, 2].map(eventNumber));
      await sink.close();
    });

    it('still holds them after the process has gone without closing it', async () => {
      const before = await at.open();
      await before.open();
      await before.deliver([eventNumber(0)]);
      const after = await at.open();
      await after.open();
      await after.deliver([eventNumber(1)]);
      expect(await at.received()).toEqual([0, 1].map(eventNumber));
      await after.close();
    });

    it('takes the same events again', async () => {
      const sink = await at.open();
      await sink.open();
      await sink.deliver([eventNumber(0)]);
      await sink.open();
      await sink.deliver([eventNumber(0)]);
      expect(await at.received()).toEqual([0, 0].map(eventNumber));
      await sink.close();
    });

    it('has a name that does not change', async () => {
      expect((await at.open()).name).toBe((await at.open()).name);
    });
  });
}
