import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { describe, expect, it } from '@jest/globals';
import { FileDescriptorSet } from '@writ/contracts/google/protobuf/descriptor.js';
import { SessionOpened } from '@writ/contracts/writ/session/v1/session_facts.js';
import { factCodecs, factJson, openFact, storedSubjects } from './entry.facts.js';

/** The facts of the contract: messages of `*_facts.proto` that are not a part of another message. */
function factsOfTheContract(): string[] {
  const path = createRequire(import.meta.url).resolve('@writ/contracts/descriptor.binpb');
  const { file } = FileDescriptorSet.decode(readFileSync(path));
  const parts = new Set(
    file.flatMap(({ messageType }) =>
      messageType.flatMap(({ field }) => field.map(({ typeName }) => typeName?.slice(1))),
    ),
  );
  return file
    .filter(({ name }) => name?.endsWith('_facts.proto'))
    .flatMap((proto) => proto.messageType.map(({ name }) => `${proto.package}.${name}`))
    .filter((name) => !parts.has(name));
}

const sessionId = 'ses_01K41M7JG0000000000000TEST';
const opened = SessionOpened.encode(SessionOpened.fromPartial({ sessionId, task: 'run\u00007' })).finish();

describe('the facts the ledger can open', () => {
  it('are all facts of the contract', () => {
    const contract = factsOfTheContract();
    expect(contract.length).toBeGreaterThan(40);
    expect(Object.keys(factCodecs).sort()).toEqual(contract.sort());
  });

  it('are shown as proto3 JSON', () => {
    const fact = openFact('writ.session.v1.SessionOpened', opened);
    expect(fact && JSON.parse(factJson(fact))).toEqual({ sessionId, task: 'run\u00007' });
  });

  it('are shown as nothing when they hold a time that no calendar has', () => {
    const expireTime = new Date(8.64e15);
    const bytes = Buffer.from(SessionOpened.encode(SessionOpened.fromPartial({ expireTime })).finish());
    // 0x7f in the highest byte of the varint: some two billion years.
    bytes[bytes.length - 1] = 0x7f;
    const fact = openFact('writ.session.v1.SessionOpened', bytes);
    expect(fact && factJson(fact)).toBe('');
  });

  it('do not include unknown types, names of object members, or bytes that are no such message', () => {
    expect(openFact('writ.session.v1.SessionBent', opened)).toBeUndefined();
    expect(openFact('constructor', opened)).toBeUndefined();
    expect(openFact('writ.session.v1.SessionOpened', Buffer.from([0x0a, 0xff]))).toBeUndefined();
  });

  it('are found by what they name, in text that PostgreSQL can hold', () => {
    expect(storedSubjects('writ.session.v1.SessionOpened', opened)).toEqual({
      ids: [sessionId],
      task: 'run\ufffd7',
    });
    expect(storedSubjects('opaque', opened)).toBeUndefined();
  });
});
