const SEED = 0x9747b28c;
const MIX = 0x5bd1e995;

/**
 * MurmurHash2, 32 bits, as `org.apache.kafka.common.utils.Utils.murmur2` computes it.
 * @returns a signed 32-bit integer
 */
export function murmur2(bytes: Uint8Array): number {
  const length = bytes.length;
  const view = new DataView(bytes.buffer, bytes.byteOffset, length);
  const tail = length & ~3;
  let hash = SEED ^ length;
  for (let at = 0; at < tail; at += 4) {
    let word = Math.imul(view.getInt32(at, true), MIX);
    word ^= word >>> 24;
    hash = Math.imul(hash, MIX) ^ Math.imul(word, MIX);
  }
  for (let at = length - 1; at >= tail; at -= 1) hash ^= view.getUint8(at) << ((at - tail) * 8);
  if (tail !== length) hash = Math.imul(hash, MIX);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, MIX);
  return (hash ^ (hash >>> 15)) | 0;
}

const encoder = new TextEncoder();

/** The partition Kafka's default partitioner gives to `key`: 0 to `partitions` - 1. */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2(encoder.encode(key)) & 0x7fffffff) % partitions;
}
