// Rounds: requests of several clients that are read, then served, then answered.
import { type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { Connection } from '../../src/net/connection.js'
import { handleOf, type Handle } from '../../src/net/handle.js'
import { type Link, type LinkUser } from '../../src/net/link.js'
import { Rounds, ROUNDS_BYTES } from '../../src/net/rounds.js'
import { Slots } from '../../src/net/slots.js'
import { Protocols } from '../../src/protocol/protocols.js'
import { ServerCore } from '../../src/server/core.js'
import { IO_BYTES } from '../../src/server/engine.js'
import { Counter, type Counters } from '../../src/stats/counters.js'
import { turn } from '../../src/timers.js'
import { Prng } from '../support/prng.js'
import { alwaysInRounds } from '../support/rounds.js'
import { startServer } from '../support/server.js'

/** The reads of a turn from which on rounds are worth it, and those served at once after a smaller turn. */
const LEAST = 8
const AT_ONCE = 64

/** A socket that a test reads and takes bytes from. */
class TestLink implements Link {
  readonly id = 0
  readonly remote = undefined
  readonly lentBytesMax = 1024 * 1024
  isBroken = false
  isPaused = false
  /** True while the kernel takes nothing. */
  isFull = false
  hasEnded = false
  written = ''
  onWrite = (): void => {}
  user!: LinkUser
  private target: Uint8Array = new Uint8Array()

  /** @param log gets the name at each write */
  constructor(private readonly name: string, private readonly log: string[]) {}

  begin(user: LinkUser): void {
    this.user = user
    this.target = user.firstTarget
  }
  passTo(user: LinkUser): void { this.user = user }

  /** Brings bytes, as libuv does: at most as many at once as there is room for. */
  brings(text: string): void {
    const bytes = Buffer.from(text, 'latin1')
    for (let at = 0; at < bytes.length;) {
      if (this.isPaused) throw new Error('a paused socket is read')
      const part = bytes.subarray(at, at + this.target.length)
      this.target.set(part)
      at += part.length
      this.target = this.user.read(part.length) ?? this.target
    }
  }
  write(bytes: Uint8Array): boolean {
    if (this.hasEnded) throw new Error('written to after its end')
    if (this.isBroken) return false
    this.onWrite()
    this.log.push(this.name)
    this.written += Buffer.from(bytes).toString('latin1')
    return !this.isFull
  }
  writeMany(parts: readonly Uint8Array[]): boolean { return this.write(Buffer.concat(parts)) }
  takes(): string {
    const { written } = this
    this.written = ''
    return written
  }
  pause(): void { this.isPaused = true }
  resume(): void { this.isPaused = false }
  unref(): void {}
  end(): void { this.hasEnded = true }
  destroy(): void { this.isBroken = true }
  reset(): void { this.isBroken = true }
}

interface Scene {
  readonly links: TestLink[]
  readonly connections: Connection[]
  readonly log: string[]
  readonly counters: Counters
  /** Makes a client that is never served in rounds. */
  makeStream(): TestLink
}

/** Some clients of a thread that has begun to serve them in rounds, unless `isNew`. */
async function scene(t: Test, count: number, isNew = false): Promise<Scene> {
  const server = new ServerCore()
  t.teardown(() => server.close())
  const { host } = server
  const { memory } = host.store.shards[0]!.items
  // the server's own rounds serve nobody
  const rounds = new Rounds(host, memory, host.store.ioStart + IO_BYTES - ROUNDS_BYTES)
  const protocols = new Protocols(host)
  const slots = new Slots(new ArrayBuffer(Slots.bytesFor(count + 1)), count + 1)
  const log: string[] = []
  const links = Array.from({ length: count }, (_, index) => new TestLink(String(index), log))
  const connect = (link: TestLink, own?: Rounds): Connection =>
    new Connection(host, protocols.for('ascii'), link, undefined, slots.take(), 0, slots, () => {}, own)
  const connections = links.map(link => connect(link, rounds))
  const makeStream = (): TestLink => {
    const link = new TestLink('stream', log)
    connect(link)
    return link
  }
  if (!isNew) {
    for (let read = 0; read < AT_ONCE; read++) links[0]!.brings('version\r\n')
    links[0]!.takes()
    log.length = 0
  }
  return { links, connections, log, counters: host.store.counters, makeStream }
}

t.test('the requests of a turn are served when all are read, and answered when all are served', async t => {
  const { links, log } = await scene(t, LEAST)
  for (const [index, link] of links.entries()) link.brings(`set k 0 0 1\r\n${index}\r\nget k\r\n`)
  t.same(log, [], 'nothing is answered before the end of the turn')
  await turn()
  t.same(log, links.map((_, index) => String(index)), 'one write for each, in the order of the reads')
  for (const [index, link] of links.entries()) t.equal(link.takes(), `STORED\r\nVALUE k 0 1\r\n${index}\r\nEND\r\n`)
  for (const link of links) link.brings('get k\r\n')
  await turn()
  t.ok(links.every(link => link.takes() === `VALUE k 0 1\r\n${LEAST - 1}\r\nEND\r\n`))
})

t.test('a thread with few requests in a turn serves each at once', async t => {
  const { links } = await scene(t, LEAST, true)
  for (let read = 0; read < AT_ONCE; read++) {
    links[0]!.brings('mn\r\n')
    t.equal(links[0]!.takes(), 'MN\r\n')
  }
  for (const link of links.slice(1)) link.brings('mn\r\n')
  t.equal(links[1]!.takes(), '', 'then a turn is tried')
  await turn()
  t.ok(links.slice(1).every(link => link.takes() === 'MN\r\n'))
  for (let read = 0; read < AT_ONCE; read++) {
    links[0]!.brings('mn\r\n')
    t.equal(links[0]!.takes(), 'MN\r\n', 'and as it brought less than is worth it, they are served at once again')
  }
  links[0]!.brings('mn\r\n')
  t.equal(links[0]!.takes(), '')
  await turn()
  t.equal(links[0]!.takes(), 'MN\r\n')
})

t.test('a full round is served before the turn ends, and large reads are served at once', async t => {
  const { links } = await scene(t, 70)
  for (const link of links) link.brings('mn\r\n')
  t.equal(links.filter(link => link.takes() === 'MN\r\n').length, 64)
  links[0]!.brings('get nothing\r\n'.repeat(200))
  t.equal(links[0]!.takes(), 'END\r\n'.repeat(200))
  await turn()
  t.equal(links.filter(link => link.takes() === 'MN\r\n').length, 6)
  links[0]!.brings('mn\r\n')
  t.equal(links[0]!.takes(), '', 'as the turn was large, the next one is tried, too')
  await turn()
  t.equal(links[0]!.takes(), 'MN\r\n')
})

t.test('small answers do not wait for a large one', async t => {
  const { links, log } = await scene(t, LEAST)
  links[0]!.brings(`set large 0 0 10000\r\n${'x'.repeat(10_000)}\r\n`)
  t.equal(links[0]!.takes(), 'STORED\r\n')
  log.length = 0
  for (const [index, link] of links.entries()) link.brings(index === 3 ? 'mn\r\nget large\r\nmn\r\n' : 'mn\r\n')
  await turn()
  t.same(log, ['0', '1', '2', '3', '4', '5', '6', '7'])
  t.equal(links[3]!.takes(), `MN\r\nVALUE large 0 10000\r\n${'x'.repeat(10_000)}\r\nEND\r\nMN\r\n`)
})

t.test('a client that ends or quits gets its answers first', async t => {
  const { links } = await scene(t, 4)
  const [ending, quitting, gone, last] = links as [TestLink, TestLink, TestLink, TestLink]
  for (const link of links) link.brings('set k 0 0 1\r\na\r\n')
  ending.user.ended()
  t.equal(ending.takes(), 'STORED\r\n')
  t.ok(ending.hasEnded)
  quitting.brings('mn\r\nquit\r\n')
  gone.brings('set gone 0 0 1\r\nb\r\n')
  gone.user.failed()
  gone.destroy()
  quitting.brings('mn\r\n')
  last.takes()
  last.brings('get gone\r\n')
  await turn()
  t.equal(last.takes(), 'VALUE gone 0 1\r\nb\r\nEND\r\n', 'what came before a reset is served')
  t.equal(quitting.takes(), 'STORED\r\nMN\r\n', 'what follows quit is not served')
  t.ok(quitting.hasEnded)
})

t.test('a request that is kept is dropped with its connection', async t => {
  const { links, connections } = await scene(t, 2)
  links[0]!.brings('set k 0 0 1\r\na\r\n')
  links[1]!.brings('get k\r\n')
  connections[0]!.destroy()
  await turn()
  t.equal(links[0]!.takes(), '')
  t.equal(links[1]!.takes(), 'END\r\n')
})

t.test('a connection that is ended in a round sends the answers that it has', async t => {
  const { links, connections: [ended, other] } = await scene(t, 2)
  for (const link of links) link.brings('mn\r\n')
  const serve = other!.serveKept.bind(other)
  other!.serveKept = count => {
    ended!.destroy()
    serve(count)
  }
  await turn()
  t.same(links.map(link => link.takes()), ['MN\r\n', 'MN\r\n'])
  t.ok(links[0]!.isBroken)
})

t.test('a stream that is served in the middle of a round gets its own answers', async t => {
  const { links, connections: [first], makeStream } = await scene(t, LEAST)
  const stream = makeStream()
  for (const link of links) link.brings('mn\r\n')
  const serve = first!.serveKept.bind(first)
  first!.serveKept = count => {
    serve(count)
    stream.user.readChunk(Buffer.from('version\r\n'))
  }
  await turn()
  t.match(stream.takes(), /^VERSION .*\r\n$/)
  t.ok(links.every(link => link.takes() === 'MN\r\n'))
})

t.test('a client that does not take its answer is not read until it has, and memory comes back', async t => {
  const { links, log, counters } = await scene(t, LEAST)
  const [slow] = links as [TestLink]
  for (let again = 0; again < 100; again++) {
    slow.isFull = true
    for (const link of links) link.brings('mn\r\nmn\r\n')
    await turn()
    t.ok(slow.isPaused)
    t.notOk(links[1]!.isPaused)
    slow.isFull = false
    slow.user.drained()
    t.notOk(slow.isPaused)
  }
  log.length = 0
  for (const link of links) link.brings('incr n 1\r\n')
  t.same(log, [])
  slow.onWrite = () => t.equal(counters.current(Counter.IncrMisses), LEAST, 'all are served before the first is answered')
  await turn()
  t.equal(log.length, LEAST)
  slow.onWrite = () => {}
  slow.isFull = true
  for (const link of links) link.brings('mn\r\n')
  await turn()
  slow.isBroken = true
  slow.user.closed()
  t.equal(slow.takes(), 'MN\r\nMN\r\n'.repeat(100) + 'NOT_FOUND\r\nMN\r\n')
})

t.test('bytes that are read while earlier ones are kept come behind them', async t => {
  const { links } = await scene(t, LEAST)
  const [client, ...others] = links as [TestLink, ...TestLink[]]
  for (const other of others) other.brings('set first 0 0 1\r\na\r\n')
  client.brings('get first\r\nset k 0 0 5\r\nab')
  client.brings('cde\r\nget k\r\n')
  client.brings('mn\r\n')
  await turn()
  t.equal(client.takes(), 'VALUE first 0 1\r\na\r\nEND\r\nSTORED\r\nVALUE k 0 5\r\nabcde\r\nEND\r\nMN\r\n')
})

t.test('a large value whose first bytes are kept is read into its item', async t => {
  const large = Array.from({ length: 20_000 }, (_, index) => String(index)).join()
  const request = `set large 0 0 ${large.length}\r\n${large}\r\n`
  for (const isLate of [false, true]) {
    const { links: [client] } = await scene(t, LEAST)
    client!.brings(request.slice(0, 500))
    if (isLate) client!.brings(request.slice(500, 1000))
    else await turn()
    client!.brings(`${request.slice(isLate ? 1000 : 500)}get large\r\n`)
    await turn()
    t.equal(client!.takes(), `STORED\r\nVALUE large 0 ${large.length}\r\n${large}\r\nEND\r\n`)
  }
})

t.test('a client whose values come by themselves has its buffer set once', async t => {
  alwaysInRounds()
  const { connect } = await startServer(t)
  const client = await connect()
  // the prototype of all handles: Node keeps something of each call until the handle is closed
  let handles = handleOf(client.stream as Socket)!
  while (!Object.hasOwn(handles, 'useUserBuffer')) handles = Reflect.getPrototypeOf(handles) as Handle
  const { useUserBuffer } = handles
  t.teardown(() => { handles.useUserBuffer = useUserBuffer })
  let count = 0
  handles.useUserBuffer = function (buffer) {
    count++
    useUserBuffer.call(this, buffer)
  }
  for (const bytes of [10, 1000, 100_000, 10, 100_000]) {
    await client.says('mn\r\n', 'MN\r\n')
    await client.send(`set k 0 0 ${bytes}\r\n`)
    for (let turns = 0; turns < 4; turns++) await turn()
    await client.says(`${'x'.repeat(bytes)}\r\n`, 'STORED\r\n')
  }
  t.equal(count, 0)
})

t.test('and wait while the client does not take its answers', async t => {
  const { links } = await scene(t, LEAST)
  const [client] = links as [TestLink]
  client.isFull = true
  // one that is written at once, as it is large, has its session wait
  links[1]!.brings(`set large 0 0 10000\r\n${'x'.repeat(10_000)}\r\n`)
  client.brings('get large\r\n')
  client.brings('mn\r\n')
  t.ok(client.isPaused)
  t.equal(client.takes(), `VALUE large 0 10000\r\n${'x'.repeat(10_000)}\r\nEND\r\n`)
  await turn()
  t.equal(client.takes(), '')
  client.isFull = false
  client.user.drained()
  t.notOk(client.isPaused)
  t.equal(client.takes(), 'MN\r\n')
})

t.test('many clients of a server get what they ask for, whatever comes together', async t => {
  const rounds = alwaysInRounds()
  const { connect } = await startServer(t, { http: true })
  const prng = new Prng(14)
  const clients = await Promise.all(Array.from({ length: 40 }, () => connect()))
  for (let step = 0; step < 30; step++) {
    await Promise.all(clients.map(async (client, index) => {
      const value = String.fromCharCode(97 + step % 26).repeat(prng.below(4) === 0 ? prng.below(5000) : prng.below(200))
      const request = Buffer.from(`set k${index} 0 0 ${value.length}\r\n${value}\r\nget k${index}\r\n`.repeat(prng.between(1, 4)))
      const cut = prng.below(request.length)
      void client.send(request.subarray(0, cut))
      if (prng.below(2) === 0) await turn()
      const answer = `STORED\r\nVALUE k${index} 0 ${value.length}\r\n${value}\r\nEND\r\n`
      const count = request.toString().split(`set k${index} `).length - 1
      await client.says(request.subarray(cut), answer.repeat(count))
    }))
  }
  t.ok(rounds() > 30)
  const callers = await Promise.all(Array.from({ length: 10 }, () => connect()))
  await Promise.all([
    ...callers.map(caller =>
      caller.says('GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n', /HTTP\/1\.1 200 [^]*/)),
    ...clients.map((client, index) => client.says(`delete k${index}\r\n`, 'DELETED\r\n')),
  ])
  for (const client of [...clients, ...callers]) client.stream.destroy()
})
