// A worker of the command breaks an invariant while it holds the stripe of a key, whose value it has written half. No thread
// shows that to a client, and the process ends.
import t, { type Test } from 'tap'
import { Client } from '../support/client.js'
import { start } from '../support/command.js'
import { COMMAND } from '../support/places.js'
import { until } from '../support/patience.js'
import { BREAKING } from './breaking.js'

const THREADS = 4
const HOST = '127.0.0.1'
const VALUE_BYTES = 200
const OLD = 'o'.repeat(VALUE_BYTES)
const NEW = BREAKING.padStart(VALUE_BYTES, 'n')

/** The command with a worker that breaks when it stores NEW, and two clients of each thread. */
async function startBreaking(t: Test) {
  const preloaded = `${process.env['NODE_OPTIONS'] ?? ''} --import ${new URL('breaking.js', import.meta.url).href}`
  const { child, output, ended, port } = await start(t, ['-t', String(THREADS), '-l', HOST], { NODE_OPTIONS: preloaded },
    COMMAND)
  // two clients have all threads start, and one of the two gets into another thread then
  for (let count = 0; count < 2; count++) await (await Client.connect({ host: HOST, port })).says('get other\r\n', 'END\r\n')
  await until('all threads serve', () => output.stderr.includes('has taken over'))
  const byThread = new Map<number, Client[]>()
  const hasAll = () => byThread.size === THREADS && [...byThread.values()].every(({ length }) => length >= 2)
  while (!hasAll()) {
    const client = await Client.connect({ host: HOST, port })
    await client.says('get other\r\n', 'END\r\n')
    const thread = await threadOf(client, output)
    byThread.set(thread, [...byThread.get(thread) ?? [], client])
  }
  return { child, output, ended, threads: [...byThread] }
}

/** The thread that has accepted a client. */
async function threadOf({ stream }: Client, output: { readonly stderr: string }): Promise<number> {
  const port = Number(Reflect.get(stream, 'localPort'))
  let thread: number | undefined
  await until('a thread has said that it accepted the client', () => {
    const said = new RegExp(`^thread (\\d+) has accepted port ${port}$`, 'm').exec(output.stderr)?.[1]
    if (said !== undefined) thread = Number(said)
    return thread !== undefined
  })
  return thread!
}

t.test('what a thread leaves half written no client reads, on any thread, and the process ends with exit code 70', async t => {
  const { child, output, ended, threads } = await startBreaking(t)
  const [[broken, [breaking, neighbour]], [, waiting], [, waitingToo], [, late]] =
    threads as [[number, Client[]], [number, Client[]], [number, Client[]], [number, Client[]]]
  await breaking!.says(`set k 0 0 ${VALUE_BYTES}\r\n${OLD}\r\nset other 0 0 1\r\nv\r\n`, 'STORED\r\nSTORED\r\n')
  for (const [, clients] of threads) {
    for (const client of clients) await client.says('get k\r\n', `VALUE k 0 ${VALUE_BYTES}\r\n${OLD}\r\nEND\r\n`)
  }

  void breaking!.send(`set k 0 0 ${VALUE_BYTES}\r\n${NEW}\r\n`)
  await until('the value is half written', () => output.stderr.includes(`thread ${broken} holds a stripe`))
  for (const client of [...waiting, ...waitingToo]) void client.send('get k\r\n')
  await until('the thread has died', () => output.stderr.includes(`thread ${broken} has died`))
  late[0]!.stream.write('get other\r\n')
  late[1]!.stream.write('get k\r\n')

  for (const client of [breaking!, neighbour!, ...waiting, ...waitingToo, ...late]) await client.expectClosed()
  await until('the process ends', () => child.exitCode !== null || child.signalCode !== null)
  t.equal(await ended, 70)
  t.match(output.stderr, new RegExp(`^thread ${broken} has died: broken invariant: broken for a test\\n +at `, 'm'))
  t.match(output.stderr, /\nmemslab ends, as it can no longer trust its memory\n$/)
  t.notMatch(output.stderr, /has died[^]*has died/, 'the first cause is the only one')
})
