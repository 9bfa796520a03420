// Reading without the stream machinery. `net.Socket` can read into a buffer of its owner's (`onread`), but only a socket
// that is made so, and a server makes its sockets without. So an accepted, paused socket hands its handle to a new one.
// This touches `_handle` and `_server`, which Node does not document: both are looked at only here, and where they are not
// as expected (another Node, TLS) the caller reads 'data' events instead. Node 20, 22 and 24 work alike.
import { Socket, type OnReadOpts, type SocketConstructorOpts } from 'node:net'

export interface Reader {
  /** Where the next bytes go; asked after each read. Undefined: the same place as before. */
  target(): Uint8Array | undefined
  /** `count` bytes are there. */
  read(count: number): void
}

interface Handle { readonly fd?: number; reading?: boolean; readStart(): number }

interface Inside { _handle?: Handle | null; _server?: unknown; server?: unknown }

/** A socket like `accepted`, which must be paused, that reads as `reader` says; undefined if that cannot be done here. */
export function readInto(accepted: Socket, reader: Reader): Socket | undefined {
  const inside = accepted as unknown as Inside
  const handle = inside._handle
  if (handle === undefined || handle === null || typeof handle.readStart !== 'function') return undefined
  const options: SocketConstructorOpts & { handle: Handle, onread: OnReadOpts } = {
    handle,
    onread: {
      // Node's types want a buffer back; it keeps the one it has when it gets none
      buffer: () => reader.target() as Buffer,
      callback: count => {
        reader.read(count)
        return true
      },
    },
  }
  inside._handle = null
  const socket = new Socket(options)
  // the server counts its connections and closes when the last has gone
  const counted = socket as unknown as Inside
  counted._server = inside._server
  counted.server = inside.server
  inside._server = null
  accepted.destroy()
  return socket
}

/** The file descriptor of a socket, for logs; 0 where it has none. */
export function descriptorOf(stream: unknown): number {
  const handle = (stream as Inside)._handle
  return handle?.fd !== undefined && handle.fd > 0 ? handle.fd : 0
}
