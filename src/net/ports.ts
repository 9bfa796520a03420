// Whether somebody listens on a port already, by the kernel's own list of those who do (Linux). The kernel refuses a port
// that is in use, but not where both sides say that they share it (SO_REUSEPORT), and another server of the same user says
// so too. To find that out by opening the port unshared for a moment would do as well, if no client came in that moment: it
// would be taken in, and cut off.
import { fstatSync, readFileSync } from 'node:fs'

/** By version of the protocol. */
const LISTS = ['/proc/net/tcp', '/proc/net/tcp6']
/** The state of a socket that listens. */
const LISTENING = '0A'

interface Row { readonly address: string; readonly port: number; readonly inode: number }

/**
 * Whether somebody listens on `port` of an address, or of all addresses where that one is among them.
 * @param descriptor of a socket that listens on any port of that address
 * @returns undefined where it cannot be told
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

/** The sockets that listen. The columns are number, local address, remote one, state, five others, inode. */
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

/** Addresses are in hexadecimal digits; all zeros means every address. */
function overlap(one: string, other: string): boolean {
  return one === other || /^0+$/.test(one) || /^0+$/.test(other)
}
