import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/**
 * The network between a client and the engine: passes bytes on both ways, and can keep back what the engine says, or cut
 * every connection. It sees TLS and nothing inside.
 */
export class Wire {
  readonly #pairs = new Set<{ near: Socket; far: Socket }>();
  #holding = false;

  private constructor(
    private readonly server: Server,
    readonly address: string,
  ) {}

  /** @param target where the engine answers, at each new connection */
  static async to(target: () => string): Promise<Wire> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const wire = new Wire(server, `127.0.0.1:${(server.address() as AddressInfo).port}`);
    server.on('connection', (near) => wire.#join(near, target()));
    return wire;
  }

  get connections(): number {
    return this.#pairs.size;
  }

  /** From now on nothing that the engine says arrives. */
  hold(): void {
    this.#holding = true;
    for (const { far } of this.#pairs) far.pause();
  }

  /** What was kept back arrives. */
  release(): void {
    this.#holding = false;
    for (const { far } of this.#pairs) far.resume();
  }

  /** Ends every connection, with what was kept back on it. */
  cut(): void {
    this.#holding = false;
    for (const { near, far } of this.#pairs) {
      near.destroy();
      far.destroy();
    }
  }

  async close(): Promise<void> {
    this.cut();
    this.server.close();
    await once(this.server, 'close');
  }

  #join(near: Socket, target: string): void {
    const [host, port] = target.split(':');
    const far = connect(Number(port), host);
    const pair = { near, far };
    this.#pairs.add(pair);
    near.on('data', (chunk) => far.write(chunk));
    far.on('data', (chunk) => near.write(chunk));
    if (this.#holding) far.pause();
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on('error', () => undefined);
      one.once('close', () => {
        other.destroy();
        this.#pairs.delete(pair);
      });
    }
  }
}
