// Every exptime around what matters to one: 0, now, thirty days, the server's start and the ends of 32 bits, by every way
// in which a client may say it. What ends at or before now is not there at all; all else ends exactly in its second.

import t from 'tap'

import { Opcode, counts, packet, uint32s } from '../support/packet.js'
import { startSessions, type BareSession, type SessionHost } from '../support/session.js'

const THIRTY_DAYS = 60 * 60 * 24 * 30
/** How far on either side of what matters one looks, in seconds. */
const AROUND = 70
const START = Date.UTC(2026, 0, 15, 12) / 1000
const NEVER = Infinity

/** A way to give a key an end. */
interface Way {
  /** Whether the key is there already, without an end. */
  readonly isThere: boolean
  readonly send: (key: string, exptime: number) => string
}

function text(send: Way['send'], isThere: boolean): Way { return { send, isThere } }

const TEXT: Readonly<Record<string, Way>> = {
  set: text((key, exptime) => `set ${key} 0 ${exptime} 1\r\n1\r\n`, false),
  add: text((key, exptime) => `add ${key} 0 ${exptime} 1\r\n1\r\n`, false),
  replace: text((key, exptime) => `replace ${key} 0 ${exptime} 1\r\n1\r\n`, true),
  touch: text((key, exptime) => `touch ${key} ${exptime}\r\n`, true),
  gat: text((key, exptime) => `gat ${exptime} ${key}\r\n`, true),
  gats: text((key, exptime) => `gats ${exptime} ${key}\r\n`, true),
  'ms T': text((key, exptime) => `ms ${key} 1 T${exptime}\r\n1\r\n`, false),
  'mg T': text((key, exptime) => `mg ${key} T${exptime}\r\n`, true),
  'mg N': text((key, exptime) => `mg ${key} N${exptime}\r\n`, false),
  'ma T': text((key, exptime) => `ma ${key} T${exptime}\r\n`, true),
  'ma N': text((key, exptime) => `ma ${key} N${exptime}\r\n`, false),
  'md I T': text((key, exptime) => `md ${key} I T${exptime}\r\n`, true),
}

function binary(opcode: Opcode, extras: (exptime: number) => Uint8Array, isThere: boolean, value = ''): Way {
  return { isThere, send: (key, exptime) => packet(opcode, { key, value, extras: extras(exptime) }).toString('latin1') }
}

const BINARY: Readonly<Record<string, Way>> = {
  Set: binary(Opcode.Set, exptime => uint32s(0, exptime), false, '1'),
  AddQ: binary(Opcode.AddQ, exptime => uint32s(0, exptime), false, '1'),
  Replace: binary(Opcode.Replace, exptime => uint32s(0, exptime), true, '1'),
  Touch: binary(Opcode.Touch, exptime => uint32s(exptime), true),
  Gat: binary(Opcode.Gat, exptime => uint32s(exptime), true),
  GatKQ: binary(Opcode.GatKQ, exptime => uint32s(exptime), true),
  Increment: binary(Opcode.Increment, exptime => counts(1n, 1n, exptime), false),
}

function around(moment: number): number[] { return Array.from({ length: 2 * AROUND + 1 }, (_, index) => moment - AROUND + index) }

/** When something with this exptime ends, in Unix seconds. */
function endOf(exptime: number, now: number): number {
  if (exptime === 0) return NEVER
  if (exptime < 0) return -NEVER
  return exptime <= THIRTY_DAYS ? now + exptime : exptime
}

async function ask(session: BareSession, send: string): Promise<string> {
  await session.send(Buffer.from(send, 'latin1'))
  return (await session.answer()).toString('latin1')
}

interface Kept { readonly key: string; readonly end: number; readonly what: string }

/** Stores by one way with all these exptimes; fails for whatever is not there as it should be. */
async function store({ connect, clock }: SessionHost, now: number, ways: typeof TEXT,
  exptimes: readonly number[]): Promise<Kept[]> {
  const [client, reader] = [await connect(), await connect()]
  const kept: Kept[] = []
  for (const [name, way] of Object.entries(ways)) {
    for (const exptime of exptimes) {
      const key = `k${kept.length}.${clock.milliseconds()}`
      if (way.isThere) await ask(reader, `set ${key} 0 0 1\r\n1\r\n`)
      await ask(client, way.send(key, exptime))
      kept.push({ key, end: endOf(exptime, now), what: `${name} ${exptime} at ${now - START} s` })
    }
  }
  return kept
}

/** Those that are not as they should be. */
async function wrong({ connect }: SessionHost, now: number, kept: readonly Kept[]): Promise<string[]> {
  const reader = await connect()
  const found: string[] = []
  for (const { key, end, what } of kept) {
    const answer = await ask(reader, `mg ${key} t\r\n`)
    const left = /^HD t(-?\d+)/.exec(answer)?.[1] ?? 'none'
    const expected = end === NEVER ? '-1' : end > now ? String(end - now) : 'none'
    if (left !== expected) found.push(`${what}: ${left} s left instead of ${expected}`)
  }
  return found
}

const SIGNED = [-(2 ** 31), -THIRTY_DAYS, ...around(0), ...around(THIRTY_DAYS), ...around(START), 2 ** 31 - 1]
const UNSIGNED = [...SIGNED.filter(exptime => exptime >= 0), 2 ** 31]

for (const [protocol, ways, exptimes] of [['text', TEXT, SIGNED], ['binary', BINARY, UNSIGNED]] as const) {
  t.test(`every exptime in the ${protocol} protocol`, async t => {
    const host = await startSessions(t)
    const reader = await host.connect()
    for (const seconds of [0, 1, 59, 3]) {
      host.clock.advance(seconds)
      // whatever a clock does, time does not go back; the server looks at it before and after
      await ask(reader, 'mn\r\n')
      host.clock.jump(-AROUND)
      await ask(reader, 'mn\r\n')
    }
    const now = START + 63
    const kept = await store(host, now, ways, exptimes)
    t.same(await wrong(host, now, kept), [])
    host.clock.advance(AROUND / 2)
    t.same(await wrong(host, now + AROUND / 2, kept), [])
    host.clock.jump(THIRTY_DAYS + AROUND)
    t.same(await wrong(host, now + AROUND / 2 + THIRTY_DAYS + AROUND, kept), [])
  })
}

t.test('every exptime of flush_all', async t => {
  const near = (moment: number): number[] => [-3, -2, -1, 0, 1, 2, 3].map(seconds => moment + seconds)
  const now = START + 2
  const exptimes = [-(2 ** 31), ...near(0), THIRTY_DAYS, THIRTY_DAYS + 1, ...near(START), ...near(now + 50), 2 ** 31 - 1]
  for (const exptime of new Set(exptimes)) {
    const host = await startSessions(t)
    const client = await host.connect()
    host.clock.advance(now - START)
    await ask(client, 'set k 0 0 1\r\n1\r\n')
    t.equal(await ask(client, `flush_all ${exptime}\r\n`), 'OK\r\n')
    const isThere = async (): Promise<boolean> => await ask(client, 'mg k\r\n') === 'HD\r\n'
    t.equal(await isThere(), exptime > 0, `flush_all ${exptime}`)
    const end = endOf(exptime, now)
    if (end <= now || end === NEVER) continue
    host.clock.jump(end - now - 1)
    t.equal(await isThere(), true, `flush_all ${exptime} just before`)
    host.clock.jump(1)
    t.equal(await isThere(), false, `flush_all ${exptime} then`)
  }
})
