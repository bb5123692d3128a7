// Unary gRPC calls over HTTP/2 (RFC 9113) and TLS, written by hand: Node's own client spends as much on a call as the
// service that is to be measured. It knows what such a call needs and fails at everything else.
import { connect } from 'node:tls';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const GOAWAY = 7;
const WINDOW_UPDATE = 8;
const ACK = 0x1;
const END_STREAM = 0x1;
const END_HEADERS = 0x4;
const PADDED = 0x8;
const HEADER_TABLE_SIZE = 1;
const ENABLE_PUSH = 2;
const INITIAL_WINDOW_SIZE = 4;
const FRAME_HEADER_BYTES = 9;
const FRAME_BYTES_MAX = 16_384;
const FIRST_WINDOW = 65_535;
const WINDOW_MAX = 2 ** 31 - 1;
const MESSAGE_HEADER_BYTES = 5;

/** `grpc-status` in the Huffman code of RFC 7541, appendix B, and its value `0` in both spellings. */
const STATUS_NAME = Buffer.from('889acac8b21234da8f', 'hex');
const STATUS_OK = [Buffer.from('0130', 'hex'), Buffer.from('8107', 'hex')].map((value) =>
  Buffer.concat([STATUS_NAME, value]),
);

function frame(type, flags, streamId, payload) {
  const bytes = Buffer.allocUnsafe(FRAME_HEADER_BYTES + payload.length);
  bytes.writeUIntBE(payload.length, 0, 3);
  bytes.writeUInt8(type, 3);
  bytes.writeUInt8(flags, 4);
  bytes.writeUInt32BE(streamId, 5);
  bytes.set(payload, FRAME_HEADER_BYTES);
  return bytes;
}

function uint32(value) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function setting(id, value) {
  return Buffer.concat([Buffer.from([0, id]), uint32(value)]);
}

/** Literal fields without indexing (RFC 7541, 6.2.2): no table to keep. Texts below 127 bytes. */
function field(name, value) {
  const text = (bytes) => Buffer.concat([Buffer.from([bytes.length]), bytes]);
  return Buffer.concat([Buffer.from([0]), text(Buffer.from(name)), text(Buffer.from(value))]);
}

/** The fields of a call, ready to be sent. */
export function headerBlock({ path, authority, timeoutMs }) {
  return Buffer.concat([
    field(':method', 'POST'),
    field(':scheme', 'https'),
    field(':path', path),
    field(':authority', authority),
    field('content-type', 'application/grpc'),
    field('te', 'trailers'),
    field('grpc-timeout', `${timeoutMs}m`),
  ]);
}

/** One connection; calls share it. */
export class CallConnection {
  #socket;
  #calls = new Map();
  #nextId = 1;
  #window = FIRST_WINDOW;
  #firstWindow = FIRST_WINDOW;
  #unread = Buffer.alloc(0);
  #unsent = [];
  #failed;

  static open(host, port, options) {
    return new Promise((resolve, reject) => {
      const socket = connect({ ...options, host, port, ALPNProtocols: ['h2'] });
      socket.once('error', reject);
      socket.once('secureConnect', () => {
        socket.off('error', reject);
        resolve(new CallConnection(socket));
      });
    });
  }

  constructor(socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the connection was closed')));
    const settings = [
      // Without a table each header block says all it says, so that a status is found by its bytes.
      setting(HEADER_TABLE_SIZE, 0),
      setting(ENABLE_PUSH, 0),
      setting(INITIAL_WINDOW_SIZE, WINDOW_MAX),
    ];
    this.#send(PREFACE);
    this.#send(frame(SETTINGS, 0, 0, Buffer.concat(settings)));
    this.#send(frame(WINDOW_UPDATE, 0, 0, uint32(WINDOW_MAX - FIRST_WINDOW)));
  }

  /** Resolves with the one message of the answer; rejects when the status is not OK. */
  call(headers, message) {
    if (this.#failed !== undefined) return Promise.reject(this.#failed);
    const id = this.#nextId;
    this.#nextId += 2;
    return new Promise((resolve, reject) => {
      const call = { id, rest: message, window: this.#firstWindow, chunks: [], resolve, reject };
      this.#calls.set(id, call);
      this.#send(frame(HEADERS, END_HEADERS, id, headers));
      this.#pump(call);
    });
  }

  /** Sends what the windows of call and connection allow. */
  #pump(call) {
    while (call.rest.length > 0) {
      const bytes = Math.min(call.rest.length, call.window, this.#window, FRAME_BYTES_MAX);
      if (bytes <= 0) return;
      const payload = call.rest.subarray(0, bytes);
      call.rest = call.rest.subarray(bytes);
      call.window -= bytes;
      this.#window -= bytes;
      this.#send(frame(DATA, call.rest.length === 0 ? END_STREAM : 0, call.id, payload));
    }
  }

  /** What one turn sends travels together. */
  #send(bytes) {
    if (this.#unsent.push(bytes) > 1) return;
    setImmediate(() => {
      const unsent = this.#unsent;
      this.#unsent = [];
      this.#socket.write(unsent.length === 1 ? unsent[0] : Buffer.concat(unsent));
    });
  }

  #read(chunk) {
    const bytes = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
    let at = 0;
    try {
      while (bytes.length - at >= FRAME_HEADER_BYTES) {
        const end = at + FRAME_HEADER_BYTES + bytes.readUIntBE(at, 3);
        if (bytes.length < end) break;
        const [type, flags, id] = [bytes[at + 3], bytes[at + 4], bytes.readUInt32BE(at + 5) & WINDOW_MAX];
        this.#frame(type, flags, id, bytes.subarray(at + FRAME_HEADER_BYTES, end));
        at = end;
      }
    } catch (error) {
      this.#fail(error);
      this.#socket.destroy();
    }
    this.#unread = bytes.subarray(at);
  }

  #frame(type, flags, id, payload) {
    if (type === DATA || type === HEADERS) this.#answer(type, flags, id, payload);
    else if (type === SETTINGS && (flags & ACK) === 0) this.#settings(payload);
    else if (type === PING && (flags & ACK) === 0) this.#send(frame(PING, ACK, 0, payload));
    else if (type === WINDOW_UPDATE) this.#widen(id, payload.readUInt32BE(0));
    else if (type === RST_STREAM) this.#end(id)?.reject(new Error(`reset, code ${payload.readUInt32BE(0)}`));
    else if (type === GOAWAY) throw new Error(`the server is going away, code ${payload.readUInt32BE(4)}`);
    else if (type !== SETTINGS && type !== PING) throw new Error(`a frame of type ${type}`);
  }

  #answer(type, flags, id, payload) {
    const call = this.#calls.get(id);
    if (call === undefined) throw new Error(`an answer to no call, ${id}`);
    if ((flags & PADDED) !== 0 || (type === HEADERS && (flags & END_HEADERS) === 0))
      throw new Error('a frame of an unknown form');
    if (type === DATA) call.chunks.push(payload);
    if ((flags & END_STREAM) === 0) return;
    this.#end(id);
    if (type !== HEADERS || !STATUS_OK.some((status) => payload.includes(status)))
      call.reject(new Error(`not OK: ${payload.toString('hex')}`));
    else call.resolve(messageOf(call.chunks));
  }

  #end(id) {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    return call;
  }

  #settings(payload) {
    for (let at = 0; at < payload.length; at += 6)
      if (payload.readUInt16BE(at) === INITIAL_WINDOW_SIZE) {
        const more = payload.readUInt32BE(at + 2) - this.#firstWindow;
        this.#firstWindow += more;
        for (const call of this.#calls.values()) call.window += more;
      }
    this.#send(frame(SETTINGS, ACK, 0, Buffer.alloc(0)));
  }

  #widen(id, more) {
    if (id === 0) this.#window += more;
    else {
      const call = this.#calls.get(id);
      if (call !== undefined) call.window += more;
    }
    for (const call of this.#calls.values()) if (call.rest.length > 0) this.#pump(call);
  }

  #fail(error) {
    this.#failed ??= error;
    for (const call of this.#calls.values()) call.reject(this.#failed);
    this.#calls.clear();
  }
}

/** The bytes of the one message, uncompressed. */
function messageOf(chunks) {
  const bytes = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
  if (bytes[0] !== 0 || bytes.readUInt32BE(1) !== bytes.length - MESSAGE_HEADER_BYTES)
    throw new Error('not one uncompressed message');
  return bytes.subarray(MESSAGE_HEADER_BYTES);
}
