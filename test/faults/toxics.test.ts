// The toxics: what toxiproxy's README says of each, in both directions. Times are lower bounds: a machine that is busy is slower,
// never quicker.
import { connect } from 'node:net'
import t from 'tap'
import * as faults from '../../src/faults/faults.js'
import { Chance } from '../../src/faults/chance.js'
import { startTapped, type TappedServer } from './server.js'

const VERSION = 'VERSION 1.6.45\r\n'

/** A clock that is a millisecond ahead, as timers of Node.js, which count whole milliseconds, may fire that much early. */
function timer(): () => number {
  const began = performance.now()
  return () => performance.now() - began + 1
}

for (const stream of ['upstream', 'downstream'] as const) {
  t.test(`latency, ${stream}`, async t => {
    const { client, control } = await startTapped(t)
    const fault = control.use(faults.latency({ latency: 40 }, { stream }))
    const took = timer()
    await client.says('version\r\n', VERSION)
    t.ok(took() >= 40, 'connections that were there have it, too')
    // what is on its way when the toxic goes is not lost
    void client.send('get a\r\n')
    await fault.remove()
    await client.says('version\r\n', `END\r\n${VERSION}`)
  })

  t.test(`bandwidth, ${stream}`, async t => {
    const { client, control } = await startTapped(t)
    const value = 'x'.repeat(20_000)
    if (stream === 'downstream') await client.says(`set k 0 0 20000\r\n${value}\r\n`, 'STORED\r\n')
    control.use(faults.bandwidth({ rate: 200 }, { stream }))
    const took = timer()
    if (stream === 'upstream') await client.says(`set k 0 0 20000\r\n${value}\r\n`, 'STORED\r\n')
    else await client.says('get k\r\n', `VALUE k 0 20000\r\n${value}\r\nEND\r\n`)
    t.ok(took() >= 100, 'a kilobyte is 1000 bytes')
  })

  t.test(`timeout of 0, ${stream}: bytes are dropped until it is removed`, async t => {
    const { client, control, settle } = await startTapped(t)
    const fault = control.use(faults.timeout({}, { stream }))
    void client.send('set k 0 0 1\r\nv\r\n')
    await settle()
    t.equal(client.waiting().length, 0)
    t.equal(control.calls().length, stream === 'upstream' ? 0 : 1)
    await fault.remove()
    await client.expectClosed()
  })

  t.test(`timeout, ${stream}: the connection is closed after it`, async t => {
    const { client, control, connect } = await startTapped(t)
    const took = timer()
    control.use(faults.timeout({ timeout: 30 }, { stream }))
    void client.send('version\r\n')
    await client.expectClosed()
    t.ok(took() >= 30)
    await control.reset()
    await (await connect()).says('version\r\n', VERSION)
  })

  t.test(`reset_peer, ${stream}: the client gets a reset`, async t => {
    const { port, control } = await startTapped(t)
    control.use(faults.resetPeer({ timeout: 20 }, { stream }))
    t.same(await fateOf(port, 'version\r\n'), { received: '', code: 'ECONNRESET' })
    await control.reset()
    control.use(faults.resetPeer({}, { stream }))
    t.same(await fateOf(port, 'version\r\n'), { received: '', code: 'ECONNRESET' })
  })

  t.test(`slicer, ${stream}: all bytes come, in pieces`, async t => {
    const { client, control } = await startTapped(t)
    const pieces: number[] = []
    client.stream.on('data', (chunk: Buffer) => pieces.push(chunk.length))
    control.use(faults.slicer({ average_size: 5, size_variation: 2, delay: 100 }, { stream }), { seed: 3 })
    const value = 'x'.repeat(200)
    await client.says(`set k 0 0 200\r\n${value}\r\nget k\r\n`, `STORED\r\nVALUE k 0 200\r\n${value}\r\nEND\r\n`)
    if (stream === 'downstream') t.ok(pieces.length > 3, `${pieces.length} pieces`)
    t.equal(control.calls({ verb: 'set' })[0]!.bytes, 200)
  })

  t.test(`limit_data, ${stream}: so many bytes, then the end`, async t => {
    const { client, control } = await startTapped(t)
    control.use(faults.limitData({ bytes: 18 }, { stream }))
    void client.send('version\r\nversion\r\nversion\r\n')
    t.equal(await client.closed(), true)
    t.equal(client.waiting().toString(), stream === 'upstream' ? VERSION + VERSION : `${VERSION}VE`)
  })

  t.test(`slow_close, ${stream}`, async t => {
    const { client, control } = await startTapped(t)
    control.use(faults.slowClose({ delay: 40 }, { stream }))
    const took = timer()
    await client.says('version\r\n', VERSION)
    if (stream === 'upstream') client.stream.end()
    else void client.send('quit\r\n')
    await client.expectClosed()
    t.ok(took() >= 40)
  })
}

t.test('chance repeats itself with its seed, and is another for each connection', async t => {
  const row = (seed: number, connection: number): number[] => {
    const chance = new Chance(seed, connection)
    return Array.from({ length: 200 }, () => chance.around(10))
  }
  t.same(row(1, 1), row(1, 1))
  t.notSame(row(1, 1), row(1, 2))
  t.notSame(row(1, 1), row(2, 1))
  t.same([...new Set(row(1, 1))].sort((a, b) => a - b), Array.from({ length: 21 }, (_, index) => index - 10))
})

t.test('jitter is never more than a delay of nothing', async t => {
  const { client, control } = await startTapped(t)
  control.use(faults.latency({ latency: 0, jitter: 2 }), { seed: 1 })
  for (let count = 0; count < 20; count++) await client.says('version\r\n', VERSION)
})

t.test('the form of toxiproxy\'s API', async t => {
  const { client, control } = await startTapped(t)
  const took = timer()
  control.use({ type: 'latency', name: 'slow', stream: 'upstream', toxicity: 1, attributes: { latency: 30, jitter: 0 } })
  await client.says('version\r\n', VERSION)
  t.ok(took() >= 30)
})

t.test('a toxic that comes and goes in the middle of a value', async t => {
  const { client, control, settle } = await startTapped(t)
  const value = Buffer.from(Array.from({ length: 900_000 }, (_, index) => index * 7 & 0xff))
  void client.send('set k 0 0 900000\r\n')
  void client.send(value.subarray(0, 300_000))
  await settle()
  const fault = control.use(faults.latency({ latency: 5 }, { stream: 'upstream' }))
  void client.send(value.subarray(300_000, 600_000))
  await settle()
  await fault.remove()
  void client.send(value.subarray(600_000))
  await client.says('\r\nget k\r\n', Buffer.concat([Buffer.from('STORED\r\nVALUE k 0 900000\r\n'), value, Buffer.from('\r\nEND\r\n')]))
  t.match(control.calls().map(({ verb, bytes }) => [verb, bytes]), [['set', 900_000], ['get', undefined]])
})

t.test('a delay may be longer than a timer of Node.js', async t => {
  const { client, control, settle } = await startTapped(t)
  const warnings: Error[] = []
  const listener = (warning: Error): void => { warnings.push(warning) }
  process.on('warning', listener)
  t.teardown(() => process.off('warning', listener))
  const fault = control.use(faults.latency({ latency: 2 ** 33 }))
  control.use(faults.late('100d'), { verb: 'get' })
  void client.send('version\r\nget k\r\n')
  await settle()
  t.equal(client.waiting().length, 0)
  t.same(warnings, [])
  await fault.remove()
  await client.expect(VERSION)
})

t.test('several toxics act one behind the other', async t => {
  const { client, control } = await startTapped(t)
  control.use(faults.limitData({ bytes: 10 }))
  control.use(faults.latency({ latency: 20 }))
  const took = timer()
  void client.send('version\r\n')
  t.equal(await client.closed(), true)
  t.equal(client.waiting().toString(), VERSION.slice(0, 10))
  t.ok(took() >= 20)
})

t.test('toxicity: a share of the connections, chosen when they come', async t => {
  const fates = async (seed: number): Promise<string> => {
    const { control, port, client } = await startTapped(t)
    client.stream.destroy()
    const fault = control.use(faults.limitData({ bytes: 3 }), { toxicity: 0.5, seed })
    let all = ''
    for (let count = 0; count < 16; count++) all += (await fateOf(port, 'version\r\nquit\r\n')).received.length === 3 ? 'x' : '-'
    t.ok(fault.used > 2 && fault.used < 15, all)
    return all
  }
  const first = await fates(1)
  t.equal(await fates(1), first)
})

t.test('what comes behind a quit is ignored, also when it comes in pieces', async t => {
  const { port, control, connect } = await startTapped(t)
  control.use(faults.slicer({ average_size: 6 }, { stream: 'upstream' }))
  control.use(faults.latency({ latency: 30 }, { stream: 'upstream' }))
  t.same(await fateOf(port, 'quit\r\nversion\r\nversion\r\n'), { received: '', code: undefined })
  t.same(control.calls().map(({ verb }) => verb), ['quit'])
  await (await connect()).says('version\r\n', VERSION)
})

t.test('times: so many connections on which something is sent', async t => {
  const { client, control, connect } = await startTapped(t)
  const idle = await connect()
  const fault = control.use(faults.limitData({ bytes: 0 }), { times: 1 })
  t.same(control.pending, [fault])
  void client.send('version\r\n')
  await client.expectClosed()
  await idle.says('version\r\n', VERSION)
  t.same(control.pending, [])
})

t.test('an answer to a client that does not read is held up by a toxic, too, and no more memory is taken', async t => {
  const { client, control } = await startTapped(t, { itemSizeMax: 64 << 20, maxbytes: 256 << 20 })
  const bytes = 24 << 20
  const value = Buffer.alloc(bytes, 'v')
  control.use(faults.latency({ latency: 1 }, { stream: 'upstream' }))
  void client.send(`set k 0 0 ${bytes}\r\n`)
  void client.send(value)
  await client.says('\r\n', 'STORED\r\n')
  await control.reset()
  control.use(faults.latency({ latency: 1 }))
  client.pause()
  const before = process.memoryUsage().arrayBuffers
  void client.send('get k\r\n')
  await new Promise(resolve => setTimeout(resolve, 50))
  const held = process.memoryUsage().arrayBuffers - before
  t.ok(held < bytes / 2, `${held} bytes`)
  client.resume()
  await client.expect(Buffer.concat([Buffer.from(`VALUE k 0 ${bytes}\r\n`), value, Buffer.from('\r\nEND\r\n')]))
})

t.test('a request that is held up keeps its client from sending more', async t => {
  const server = await startTapped(t)
  server.control.use(faults.bandwidth({ rate: 1 }, { stream: 'upstream' }))
  const before = process.memoryUsage().arrayBuffers
  let sent = 0
  const socket = connect(server.port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  const line = Buffer.from('get k\r\n'.repeat(10_000))
  for (let count = 0; count < 400; count++) socket.write(line, () => { sent += line.length })
  await untilStill(() => sent)
  t.ok(sent < 20 << 20, `${sent} bytes were taken of ${line.length * 400}`)
  t.ok(process.memoryUsage().arrayBuffers - before < 12 << 20)
})

/** Resolves when a number has not changed for a while. */
async function untilStill(number: () => number): Promise<void> {
  for (let last = -1, still = 0; still < 10; still = number() === last ? still + 1 : 0) {
    last = number()
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

/** What a client meets that sends this and waits for the end. */
async function fateOf(port: TappedServer['port'], send: string): Promise<{ received: string, code: string | undefined }> {
  const socket = connect(port, '127.0.0.1')
  let received = ''
  let code: string | undefined
  socket.on('data', (chunk: Buffer) => { received += chunk.toString('latin1') })
  socket.on('error', (error: NodeJS.ErrnoException) => { code = error.code })
  socket.on('connect', () => socket.write(send))
  await new Promise(resolve => socket.once('close', resolve))
  return { received, code }
}
