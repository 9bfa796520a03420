// Sockets as abusive clients use them: opened by the thousand, written to without end, dropped without a word.

import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { SpawnedServer } from '../clients/server.js'

/** A connected socket that nobody reads; when the server resets it, that is no error here. */
export async function openSocket(server: SpawnedServer): Promise<Socket> {
  const socket = server.socket()
  await once(socket, 'connect')
  socket.on('error', () => {})
  return socket
}

/** Many of them, a few hundred at a time so that the server's backlog is not what is tested. */
export async function openSockets(server: SpawnedServer, count: number): Promise<Socket[]> {
  const sockets: Socket[] = []
  while (sockets.length < count) {
    const batch = Math.min(200, count - sockets.length)
    sockets.push(...await Promise.all(Array.from({ length: batch }, () => openSocket(server))))
  }
  return sockets
}

/** Resolves once the kernel has taken the bytes: with true, or with false when the connection is gone. */
export function write(socket: Socket, bytes: Uint8Array | string): Promise<boolean> {
  return new Promise(resolve => {
    if (socket.destroyed) return resolve(false)
    socket.write(bytes, error => resolve(error == null))
  })
}

/** Writes a chunk again and again until so many bytes are out or the server has closed the connection. */
export async function pour(socket: Socket, chunk: Uint8Array, bytes: number): Promise<void> {
  for (let sent = 0; sent < bytes; sent += chunk.length) {
    if (!await write(socket, chunk)) return
  }
}

/** Drops the connection with a RST, as a crashed machine or a full firewall table would. */
export function reset(socket: Socket): void {
  socket.resetAndDestroy()
}
