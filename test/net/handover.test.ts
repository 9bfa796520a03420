// Clients that one thread hands over to another, here with both of them in this thread. See server/late.test.ts for servers.
import { execFileSync } from 'node:child_process'
import { closeSync, openSync, readdirSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { Balance } from '../../src/net/balance.js'
import { type Leaving, type Standing } from '../../src/net/connection.js'
import { comeIn, Giver, type HandOverParts } from '../../src/net/handover.js'
import { takeHandle } from '../../src/net/handle.js'
import { type Link } from '../../src/net/link.js'
import { until } from '../support/patience.js'

const ONLY_LINUX = process.platform === 'linux' ? {} : { skip: 'only on Linux threads start later' }
const LISTENER = { protocol: 'ascii' }

/** A thread as far as its clients come and go. */
class Thread {
  readonly balance: Balance
  /** The clients that may leave, and those that have come, by their slots. */
  readonly movable = new Map<number, { readonly origin: object, readonly leave: () => Leaving }>()
  readonly came = new Map<number, Link>()
  readonly parts: HandOverParts

  constructor(memory: SharedArrayBuffer, number: number) {
    const balance = this.balance = new Balance(memory, number)
    balance.join()
    const { movable, came } = this
    this.parts = {
      balance,
      listeners: { placeOf: () => 0, listening: [LISTENER] },
      connections: {
        movable: () => movable.values(),
        hasLeft: () => balance.add(-1),
        takeOver: (link: Link, _origin: object, _protocol: string, { slot }: Standing) => {
          came.set(slot, link)
          balance.add(1)
        },
      },
      failed: (error: unknown) => { throw error },
    } as unknown as HandOverParts
  }
}

/** Two threads, the first of which has `count` clients, and the clients. */
async function twoThreads(t: Test, count: number) {
  const memory = new SharedArrayBuffer(Balance.bytesFor(2))
  const [first, other] = [new Thread(memory, 1), new Thread(memory, 2)]
  const listener = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  t.teardown(() => listener.close())
  await once(listener, 'listening')
  const clients: Socket[] = []
  for (let slot = 0; slot < count; slot++) {
    const client = connect((listener.address() as AddressInfo).port, '127.0.0.1')
    t.teardown(() => client.destroy())
    const [accepted] = await once(listener, 'connection') as [Socket]
    const handle = takeHandle(accepted)!
    const standing: Standing = { id: 0, slot, protocol: 'ascii', isAuthenticated: false, usedAt: 0, unknownSince: 0 }
    first.movable.set(slot, { origin: LISTENER, leave: () => ({ handle, standing }) })
    first.balance.add(1)
    clients.push(client)
  }
  t.teardown(() => { for (const link of [...first.came.values(), ...other.came.values()]) link.destroy() })
  const giver = await Giver.open(first.parts)
  await comeIn(other.parts, giver.door, 2)
  await until('it has come in', () => (giver as unknown as { guests: ReadonlyMap<number, unknown> }).guests.size === 1)
  return { first, other, clients, giver }
}

/** Opens files until the process may open no more. Returns a function that closes them. */
function takeAllFiles(t: Test): () => void {
  const highest = Math.max(...readdirSync('/proc/self/fd').map(Number))
  limitFiles(String(highest + 32))
  t.teardown(() => limitFiles('unlimited'))
  const files: number[] = []
  const free = (): void => { for (const file of files.splice(0)) closeSync(file) }
  t.teardown(free)
  for (;;) {
    try {
      files.push(openSync('/dev/null', 'r'))
    } catch { return free }
  }
}

const [, hardLimit = ''] = /\nMax open files +\S+ +(\S+)/.exec(execFileSync('cat', ['/proc/self/limits'], { encoding: 'utf8' })) ?? []

/** Sets the soft limit for open files. */
function limitFiles(soft: string): void {
  execFileSync('prlimit', ['--pid', String(process.pid), `--nofile=${soft === 'unlimited' ? hardLimit : soft}:`])
}

t.test('half of the clients go', ONLY_LINUX, async t => {
  const { first, other, clients, giver } = await twoThreads(t, 100)
  await giver.share(1)
  await until('they have come', () => other.came.size === 50)
  t.equal(first.came.size, 0)
  other.came.get(7)!.write(Buffer.from('hello'))
  const [hello] = await once(clients[7]!, 'data') as [Buffer]
  t.equal(hello.toString(), 'hello')
})

t.test('a client for which there is no descriptor stays', ONLY_LINUX, async t => {
  const { first, other, clients, giver } = await twoThreads(t, 12)
  const free = takeAllFiles(t)
  await giver.share(1)
  // the door is closed by then, so there may be a descriptor for one of the six
  await until('they have come or come back', () => first.came.size + other.came.size === 6)
  free()
  t.ok(first.came.size > 0, 'some have come back')
  for (const [slot, link] of [...first.came, ...other.came]) {
    link.write(Buffer.from('hello'))
    const [hello] = await once(clients[slot]!, 'data') as [Buffer]
    t.equal(hello.toString(), 'hello')
  }
})
