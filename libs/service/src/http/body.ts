import type { IncomingMessage } from 'node:http';

/**
 * Reads a body while it comes. `done` is told once: the bytes, or undefined as soon as they are more than `bytesMax`, which
 * is before the rest has arrived. A request that breaks off tells nothing: nobody is there to answer.
 */
export function readBody(
  request: IncomingMessage,
  bytesMax: number,
  done: (body: Buffer | undefined) => void,
): void {
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) {
    done(undefined);
    return;
  }
  const chunks: Buffer[] = [];
  let size = 0;
  const take = (chunk: Buffer) => {
    size += chunk.length;
    if (size <= bytesMax) {
      chunks.push(chunk);
      return;
    }
    request.off('data', take);
    request.off('end', end);
    done(undefined);
  };
  const end = () => {
    const [first] = chunks;
    done(chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks));
  };
  request.on('data', take);
  request.on('end', end);
  request.on('error', () => undefined);
}
