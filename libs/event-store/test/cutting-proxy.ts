import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A TCP way to PostgreSQL that can lose the answer to a COMMIT, as a network does. */
export interface CuttingProxy {
  readonly port: number;
  /** The next COMMIT reaches the server; its answer does not come back, the connection is cut instead. */
  cutAfterCommit(): void;
  /** How many answers were lost. */
  lost(): number;
  close(): Promise<void>;
}

export async function startCuttingProxy(targetPort: number): Promise<CuttingProxy> {
  let armed = false;
  let lost = 0;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const target = connect(targetPort, '127.0.0.1');
    let cutting = false;
    for (const socket of [client, target]) {
      sockets.add(socket);
      // One side ends the other; a reset is one way to end.
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        target.destroy();
      });
    }
    client.on('data', (bytes) => {
      if (armed && bytes.includes('commit\0')) {
        armed = false;
        cutting = true;
      }
      target.write(bytes);
    });
    target.on('data', (bytes) => {
      if (!cutting) client.write(bytes);
      else if (bytes.includes('COMMIT\0')) {
        lost += 1;
        client.destroy();
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
  return {
    port: address.port,
    cutAfterCommit: () => {
      armed = true;
    },
    lost: () => lost,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
