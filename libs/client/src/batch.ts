import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { MESSAGE_BYTES_MAX } from './question.js';

/** The field `requests` of DecideBatchRequest. */
const REQUESTS_FIELD = 1;

/** Bytes of a protobuf varint of 32 bits. */
function varintBytes(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5;
}

/** What a question takes in a batch: tag, length, content. */
function framedBytes({ bytes }: { readonly bytes: Uint8Array }): number {
  return 1 + varintBytes(bytes.length) + bytes.length;
}

/**
 * How many from the front of a queue go into one message: at most `max` questions and 1 MiB. The first always goes: by
 * itself it travels without a frame.
 */
export function batchLength(queue: readonly { readonly bytes: Uint8Array }[], max: number): number {
  let count = 0;
  let size = 0;
  for (const question of queue) {
    size += framedBytes(question);
    if (count === max || (count > 0 && size > MESSAGE_BYTES_MAX)) break;
    count += 1;
  }
  return count;
}

/** A DecideBatchRequest of questions that are encoded already: each was written once, to be weighed. */
export function batchMessage(questions: readonly { readonly bytes: Uint8Array }[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const { bytes } of questions) writer.tag(REQUESTS_FIELD, WireType.LengthDelimited).bytes(bytes);
  return writer.finish();
}
