// The rings and their readers, without a server: several threads' logs over one memory, in one thread or in many.
import t from 'tap'
import { GetStatus, Kind } from '../../src/log/events.js'
import { Log } from '../../src/log/log.js'
import { Reader } from '../../src/log/reader.js'
import { Counter, Counters } from '../../src/stats/counters.js'
import { ManualClock } from '../support/clock.js'
import { Prng } from '../support/prng.js'
import { runThreads } from '../support/threads.js'

interface Hand { readonly log: Log, readonly reader: Reader, readonly counters: Counters }

function hands(threads: number, ringBytes: number): Hand[] {
  const memory = Log.allocate(threads, ringBytes, false)
  const counted = new ArrayBuffer(Counters.bytesFor(threads))
  return Array.from({ length: threads }, (_, thread) => {
    const counters = new Counters(counted, 0, threads, thread)
    const log = new Log(memory, { ringBytes, threads, thread, clock: new ManualClock(), counters })
    return { log, counters, reader: new Reader(log) }
  })
}

function write({ log }: Hand, key: string): void {
  const bytes = Buffer.from(key)
  log.itemGet(log.thread, bytes, 0, bytes.length, GetStatus.Found, 1, 5)
}

/** What one reader reads: the key and the gid of each event. */
function readAll({ log, reader }: Hand): { key: string, gid: number }[] {
  const all = []
  while (reader.next()) {
    all.push({ key: Buffer.from(log.bytes.subarray(reader.textStart, reader.textEnd)).toString(), gid: reader.gidLow })
  }
  reader.release()
  return all
}

t.test('events of several threads are read in the order in which they happened', async t => {
  const [one, two, three] = hands(3, 4096) as [Hand, Hand, Hand]
  two.reader.open()
  one.log.addWatcher(Kind.Fetchers)
  for (const [key, hand] of [['a', one], ['b', three], ['c', two], ['d', one], ['e', one], ['f', three]] as const) {
    write(hand, key)
  }
  t.same(readAll(two).map(({ key }) => key), ['a', 'b', 'c', 'd', 'e', 'f'])
  t.same(readAll(two), [], 'once')
})

t.test('a reader begins with what happens after it has come', async t => {
  const [one, two] = hands(2, 4096) as [Hand, Hand]
  one.log.addWatcher(Kind.Fetchers)
  write(one, 'before')
  two.reader.open()
  write(one, 'after')
  t.same(readAll(two).map(({ key }) => key), ['after'])
})

t.test('nothing is written that nobody wants', async t => {
  const [one] = hands(1, 4096) as [Hand]
  write(one, 'a')
  one.log.addWatcher(Kind.Mutations | Kind.Deletions)
  write(one, 'b')
  t.equal(one.counters.sum(Counter.LogWorkerWritten), 0)
  one.log.removeWatcher(Kind.Mutations | Kind.Deletions)
  t.equal(one.log.kinds, 0)
  one.log.verify()
})

t.test('a ring that nobody empties drops what comes, and goes on where it is read', async t => {
  const [one] = hands(1, 1024) as [Hand]
  one.reader.open()
  one.log.addWatcher(Kind.Fetchers)
  for (let count = 0; count < 100; count++) write(one, `key-${count}`)
  const written = one.counters.sum(Counter.LogWorkerWritten)
  t.ok(written > 10 && written < 20, `${written} fit 1 KiB`)
  t.equal(one.counters.sum(Counter.LogWorkerDropped), 100 - written)
  one.log.verify()
  t.same(readAll(one).map(({ key }) => key), Array.from({ length: written }, (_, index) => `key-${index}`), 'the oldest')
  write(one, 'next')
  t.same(readAll(one).map(({ key }) => key), ['next'])
})

t.test('whatever is written and read when, each reader gets everything, whole and in order', async t => {
  const prng = new Prng(1)
  const crowd = hands(4, 1024)
  const readers = crowd.slice(0, 3).map(hand => ({ hand, got: [] as { key: string, gid: number }[], isOpen: false, from: 0 }))
  crowd[0]!.log.addWatcher(Kind.Fetchers)
  const written: string[] = []
  for (let step = 0; step < 20_000; step++) {
    const hand = crowd[prng.below(4)]!
    const reader = readers[prng.below(3)]!
    const what = prng.below(100)
    if (what < 80) {
      const before = hand.counters.sum(Counter.LogWorkerWritten)
      const key = `${step}`.padEnd(1 + prng.below(250), 'x')
      write(hand, key)
      if (hand.counters.sum(Counter.LogWorkerWritten) > before) written.push(key)
    } else if (what < 97) {
      if (reader.isOpen) reader.got.push(...readAll(reader.hand))
    } else if (reader.isOpen) {
      reader.got.push(...readAll(reader.hand))
      t.same(reader.got, written.slice(reader.from).map((key, index) => ({ key, gid: reader.from + index + 1 })))
      reader.hand.reader.close()
      reader.isOpen = false
    } else {
      reader.hand.reader.open()
      Object.assign(reader, { isOpen: true, from: written.length, got: [] })
    }
    if (step % 100 === 0) hand.log.verify()
  }
  t.ok(written.length > 5000, `${written.length} were written`)
})

t.test('threads that write at once are read whole, in order and without a gap', async t => {
  const threads = 4
  const ringBytes = 16 * 1024
  const memory = Log.allocate(threads, ringBytes, true)
  const counted = new SharedArrayBuffer(Counters.bytesFor(threads))
  const counters = new Counters(counted, 0, threads, 0)
  const log = new Log(memory, { ringBytes, threads, thread: 0, clock: new ManualClock(), counters })
  const reader = new Reader(log)
  const hand = { log, reader, counters }
  reader.open()
  log.addWatcher(Kind.Fetchers)
  const gate = new Int32Array(new SharedArrayBuffer(4))
  const next = [0, 0, 0, 0]
  let gid = 0
  const read = (): void => {
    for (const event of readAll(hand)) {
      const [thread, count] = event.key.split('-').map(Number) as [number, number]
      if (event.gid !== ++gid) throw new Error(`gid ${event.gid} instead of ${gid}`)
      if (count < next[thread]!) throw new Error(`thread ${thread} came to ${count} after ${next[thread]}`)
      next[thread] = count + 1
    }
  }
  const data = [1, 2, 3].map(thread => ({ memory, counted, ringBytes, threads, thread, gate, events: 20_000 }))
  await runThreads(new URL('writer.js', import.meta.url), data, read)
  read()
  t.equal(gid, counters.sum(Counter.LogWorkerWritten), 'all that was written has been read')
  t.equal(gid + counters.sum(Counter.LogWorkerDropped), 60_000, 'and the rest is counted')
  log.verify()
})
