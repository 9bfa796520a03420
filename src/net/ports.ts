// Finds out whether another process listens on a port, from the kernel's list of listening sockets (Linux). The kernel refuses a
// port that is in use, but not if both sockets share it (SO_REUSEPORT), as another server of the same user would. Opening the
// port unshared for a moment would show that too, but a client that connects in that moment would be accepted and cut off.
import { fstatSync, readFileSync } from 'node:fs'

/** The kernel's lists of TCP sockets, of IPv4 and of IPv6. */
const LISTS = ['/proc/net/tcp', '/proc/net/tcp6']
/** The state of a listening socket. */
const LISTENING = '0A'

interface Row { readonly address: string; readonly port: number; readonly inode: number }

/**
 * True if a socket listens on `port` of an address, or of all addresses.
 * @param descriptor that of a socket which listens on the address, with any port
 * @returns undefined if the list cannot be read
 */
export function isTaken(port: number, descriptor: number): boolean | undefined {
  try {
    const { ino } = fstatSync(descriptor)
    for (const list of LISTS) {
      const rows = rowsOf(list)
      const own = rows.find(({ inode }) => inode === ino)
      if (own !== undefined) return rows.some(row => row.port === port && overlap(row.address, own.address))
    }
  } catch { /* not Linux, or no such list */ }
  return undefined
}

/** The listening sockets of a list. Its columns are number, local address, remote address, state, five others, inode. */
function rowsOf(list: string): Row[] {
  const rows: Row[] = []
  for (const line of readFileSync(list, 'latin1').split('\n')) {
    const [, local = '', , state, , , , , , inode] = line.trim().split(/\s+/)
    if (state !== LISTENING) continue
    const [address = '', port = ''] = local.split(':')
    rows.push({ address, port: parseInt(port, 16), inode: Number(inode) })
  }
  return rows
}

/** True if two addresses, in hexadecimal digits, have a port in common. All zeros means every address. */
function overlap(one: string, other: string): boolean {
  return one === other || /^0+$/.test(one) || /^0+$/.test(other)
}
