import { connect, createServer, type Socket } from 'node:net';

/** A connection to a database that can be held up: what is sent stays on the way until it is let go. */
export interface SlowWire {
  readonly port: number;
  hold(): void;
  letGo(): void;
  close(): void;
}

export async function slowWire(target: number): Promise<SlowWire> {
  const near = new Set<Socket>();
  let held = false;
  const server = createServer((socket) => {
    const far = connect(target, '127.0.0.1');
    near.add(socket);
    if (held) socket.pause();
    socket.on('data', (bytes) => far.write(bytes));
    far.on('data', (bytes) => socket.write(bytes));
    for (const [one, other] of [
      [socket, far],
      [far, socket],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => {
        near.delete(socket);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP port was given');
  return {
    port: address.port,
    hold() {
      held = true;
      for (const socket of near) socket.pause();
    },
    letGo() {
      held = false;
      for (const socket of near) socket.resume();
    },
    close() {
      for (const socket of near) socket.destroy();
      server.close();
    },
  };
}
