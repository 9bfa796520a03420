// Whether a port is somebody's already, where threads share ports: no second server comes in unnoticed, and no client that
// comes while the first one starts is cut off.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { descriptorOf } from '../../src/net/handle.js'
import { isTaken } from '../../src/net/ports.js'
import { Client } from '../support/client.js'
import { Patience } from '../support/patience.js'
import { CLI } from '../support/places.js'

const skip = process.platform !== 'linux' && 'only Linux lists who listens, and shares ports'
/** Starts of a server whose first client comes as early as can be. */
const STARTS = 4
/** Ports that neither the kernel chooses nor a known service has, and how many of them a process may well try. */
const FIRST_PORT = 20_000
const PORTS = 10_000
const PORTS_PER_PROCESS = 2 * STARTS

async function listener(t: Test, host: string): Promise<{ server: Server, port: number }> {
  const server = createServer().listen(0, host)
  await new Promise(resolve => server.once('listening', resolve))
  t.teardown(() => server.close())
  return { server, port: (server.address() as AddressInfo).port }
}

t.test('a port is taken at its own address and at all addresses, and nowhere else', { skip }, async t => {
  const one = await listener(t, '127.0.0.1')
  const other = await listener(t, '127.0.0.2')
  const all = await listener(t, '0.0.0.0')
  const seenFrom = ({ server }: { server: Server }, port: number) => isTaken(port, descriptorOf(server))
  t.equal(seenFrom(other, other.port), true)
  t.equal(seenFrom(one, other.port), false, 'another address')
  t.equal(seenFrom(one, all.port), true, 'somebody has all addresses')
  t.equal(seenFrom(all, other.port), true, 'one of all addresses')
  one.server.close()
  t.equal(seenFrom(all, one.port), false, 'it is free again')
})

t.test('a port at which nobody listens is free, though somebody who came there is still served', { skip }, async t => {
  const one = await listener(t, '127.0.0.1')
  const other = await listener(t, '127.0.0.1')
  const client = connect(one.port, '127.0.0.1')
  const [served] = await once(one.server, 'connection') as [Socket]
  one.server.close()
  t.equal(isTaken(one.port, descriptorOf(other.server)), false)
  for (const socket of [client, served]) socket.destroy()
})

t.test('who does not listen tells nothing', { skip }, t => {
  t.equal(isTaken(1, 1_000_000), undefined)
  t.end()
})

t.test('who comes as soon as a server listens is answered', { skip }, async t => {
  for (let start = 0; start < STARTS; start++) {
    const port = await freePort(t)
    const child = spawn(process.execPath, [CLI, '-t', '2', '-l', '127.0.0.1', '-p', String(port)], { stdio: 'inherit' })
    t.teardown(() => child.kill('SIGKILL'))
    const client = await connectAtOnce(port)
    await client.says('mn\r\n', 'MN\r\n')
    client.stream.destroy()
    child.kill('SIGKILL')
  }
})

/** Where the search for a free port goes on. Tests that run side by side begin elsewhere. */
let nextPort = FIRST_PORT + process.pid * PORTS_PER_PROCESS % PORTS

/**
 * A port that nothing uses. Not one that the kernel chooses, as it gives those to clients too: a client that tries again and
 * again to connect to such a port may come to be given it itself.
 */
async function freePort(t: Test): Promise<number> {
  for (;;) {
    const port = nextPort
    nextPort = FIRST_PORT + (nextPort + 1 - FIRST_PORT) % PORTS
    const server = createServer().listen(port, '127.0.0.1')
    const isFree = await new Promise(resolve => server.once('listening', () => resolve(true)).once('error', () => resolve(false)))
    if (!isFree) continue
    await new Promise(resolve => server.close(resolve))
    t.comment(`port ${port}`)
    return port
  }
}

/** Without a pause, so that no moment is missed. */
async function connectAtOnce(port: number): Promise<Client> {
  const patience = new Patience()
  for (;;) {
    const client = await Client.connect({ host: '127.0.0.1', port }).catch(() => undefined)
    if (client !== undefined) return client
    if (patience.isOver()) throw new Error('the server does not listen')
  }
}
