// `-o profile=elasticache-serverless`: what that service refuses, and that a connection is as before afterwards.
import t from 'tap'
import { checkOptions, completeOptions, type Options } from '../../src/options/options.js'
import { writeCertificates } from '../support/certificates.js'
import { Client } from '../support/client.js'
import { Opcode, packet } from '../support/packet.js'
import type { Ends } from '../support/real.js'
import { connectSecurely, startServer } from '../support/server.js'
import { startSessions } from '../support/session.js'
import { startThreads } from '../support/workers.js'

const PROFILE = { profile: 'elasticache-serverless' } as const
const TOO_LONG = 'CLIENT_ERROR line too long\r\n'

async function startSession(t: Ends, options: Partial<Options> = {}) {
  const { connect } = await startSessions(t, { ...PROFILE, ...writeCertificates(t).options, ...options })
  return await connect()
}

/** The commands that are refused, each with all that may stand behind it. */
const REFUSED = [
  'me k', 'me k b', 'watch', 'watch fetchers', 'lru tune 20 30 0.2 2.0', 'lru mode flat', 'lru_crawler enable',
  'lru_crawler metadump all', 'lru_crawler mgdump all', 'lru_crawler crawl all', 'verbosity 1', 'slabs reassign 1 2',
  'slabs automove 0', 'cache_memlimit 64', 'extstore free_memchunks 1 1', 'refresh_certs', 'shutdown', 'shutdown graceful',
  'stats settings', 'stats items', 'stats slabs', 'stats sizes', 'stats conns', 'stats hash', 'stats sizing', 'stats detail on',
  'stats detail dump', 'stats cachedump 1 1', 'stats extstore', 'stats s', 'stats nothing',
]

t.test('commands that configure the server or reveal its state are answered as unknown ones', async t => {
  const { client } = await startServer(t, { over: 'tls', ...PROFILE, shutdownCommand: true })
  await client.says('set k 0 0 1\r\nv\r\n', 'STORED\r\n')
  for (const line of REFUSED) await client.says(`${line}\r\nget k\r\n`, 'ERROR\r\nVALUE k 0 1\r\nv\r\nEND\r\n')
  await client.says(`${REFUSED.join('\r\n')}\r\nmn\r\n`, `${'ERROR\r\n'.repeat(REFUSED.length)}MN\r\n`)
  await client.says('verbosity 1 noreply\r\nlru mode flat noreply\r\nmn\r\n', 'MN\r\n')
})

t.test('all others are there', async t => {
  const { client } = await startServer(t, { over: 'tls', ...PROFILE })
  await client.says('stats\r\n', /^STAT pid [^]*END\r\n$/)
  await client.says('stats reset\r\nstats r\r\n', 'RESET\r\nRESET\r\n')
  await client.says('version\r\n', 'VERSION 1.6.45\r\n')
  await client.says('ms k 1 c\r\nv\r\nmg k v\r\nma n N0 v\r\nmd k\r\nmn\r\n', /^HD c\d+\r\nVA 1\r\nv\r\nVA 1\r\n0\r\nHD\r\nMN\r\n$/)
  await client.says('set k 0 0 1\r\n1\r\nincr k 1\r\ngat 0 k\r\ntouch k 0\r\nadd k 0 0 1\r\nv\r\n',
    'STORED\r\n2\r\nVALUE k 0 1\r\n2\r\nEND\r\nTOUCHED\r\nNOT_STORED\r\n')
  await client.says('get a b k\r\ngets nothing\r\n', 'VALUE k 0 1\r\n2\r\nEND\r\nEND\r\n')
})

t.test('a delayed flush_all is refused', async t => {
  const { client, clock } = await startServer(t, { over: 'tls', ...PROFILE })
  await client.says('set k 0 0 1\r\nv\r\n', 'STORED\r\n')
  for (const line of ['flush_all 10', 'flush_all -1', 'flush_all 2000000000']) {
    await client.says(`${line}\r\n`, 'CLIENT_ERROR delayed flush_all not allowed\r\n')
  }
  await client.says('flush_all 10 noreply\r\nflush_all x\r\n', 'CLIENT_ERROR invalid exptime argument\r\n')
  clock.advance(20)
  await client.says('get k\r\n', 'VALUE k 0 1\r\nv\r\nEND\r\n')
  await client.says('flush_all\r\nget k\r\nflush_all 0\r\nflush_all noreply\r\nflush_all 0 noreply\r\nmn\r\n',
    'OK\r\nEND\r\nOK\r\nMN\r\n')
})

t.test('a get line has at most 16 KiB, in however many pieces it comes', async t => {
  const session = await startSession(t)
  const says = async (text: string, cut: number): Promise<string> => {
    for (let at = 0; at < text.length; at += cut) await session.send(Buffer.from(text.slice(at, at + cut)))
    return String(await session.answer())
  }
  for (const name of ['get', 'gets']) {
    /** A line of so many bytes without its end. */
    const lineOf = (bytes: number) => `${name} ${'key '.repeat(5000)}`.slice(0, bytes - 1) + 'k'
    for (const end of ['\r\n', '\n']) {
      for (const cut of [Infinity, 1000, 16384, 16385, 16386, 50_000]) {
        const what = `${name} ${JSON.stringify(end)} ${cut}`
        t.equal(await says(`${lineOf(16_384)}${end}mn\r\n`, cut), 'END\r\nMN\r\n', what)
        t.equal(await says(`${lineOf(16_385)}${end}mn\r\n`, cut), `${TOO_LONG}MN\r\n`, what)
      }
    }
  }
  t.equal(await says(`get ${'key '.repeat(500_000)}\r\nmn\r\n`, 60_000), `${TOO_LONG}MN\r\n`)
  t.equal(await says(`get ${'k'.repeat(100_000)}\r\nmn\r\n`, 60_000), `${TOO_LONG}MN\r\n`)
  t.equal(await says(`mn\r\nget ${'key '.repeat(30_000)}`, 60_000), 'MN\r\n', 'the answer comes behind the line')
  t.equal(await says('k\r\nmn\r\n', 1), `${TOO_LONG}MN\r\n`)
  await session.hangUp()
})

t.test('there is neither the binary protocol nor a port without TLS', async t => {
  const { client, port } = await startServer(t, { over: 'tls', ...PROFILE })
  await client.says(Buffer.concat([packet(Opcode.Version), Buffer.from('\r\nmn\r\n')]), 'ERROR\r\nMN\r\n')
  const plain = await Client.connect({ port, host: '127.0.0.1' })
  void plain.send('version\r\n')
  t.ok(await plain.closed())
})

t.test('in all threads', async t => {
  const { server } = await startThreads(t, { threads: 3, ...PROFILE, ...writeCertificates(t).options })
  const clients = await Promise.all(Array.from({ length: 6 }, () => connectSecurely({ port: server.port, host: '127.0.0.1' })))
  for (const client of clients) {
    await client.says('me k\r\nstats items\r\nverbosity 1\r\nflush_all 5\r\nmn\r\n',
      'ERROR\r\nERROR\r\nERROR\r\nCLIENT_ERROR delayed flush_all not allowed\r\nMN\r\n')
    client.stream.destroy()
  }
})

t.test('options that the service does not have are problems', async t => {
  const secure: Partial<Options> = { ...PROFILE, sslEnabled: true, sslChainCert: 'c' }
  for (const [options, ...problems] of [
    [secure],
    [PROFILE, 'profile: elasticache-serverless has only TLS, so not without sslEnabled'],
    [{ ...secure, socketPath: '/run/m.sock' }, 'profile: elasticache-serverless has only TLS, so not with socketPath'],
    [{ ...secure, protocol: 'auto' }, 'profile: elasticache-serverless has only the text protocol, so protocol cannot be auto'],
    [{ ...secure, sasl: true, authFile: 'f' }, 'profile: elasticache-serverless has only the text protocol, so protocol cannot be binary'],
    [{ ...secure, listen: ['notls:127.0.0.1'] },
      'profile: elasticache-serverless has only TLS and the text protocol, which a prefix of listen cannot change'],
    [{ ...secure, listen: ['proto[binary]:127.0.0.1'] },
      'profile: elasticache-serverless has only TLS and the text protocol, which a prefix of listen cannot change'],
    [{ profile: 'other' as 'memcached' }, 'profile: must be one of memcached, elasticache-serverless'],
    [{ profile: 5 as never }, 'profile: must be a string, not a number'],
  ] as readonly [Partial<Options>, ...string[]][]) {
    t.same(checkOptions(completeOptions(options)), problems)
  }
  t.match(checkOptions(completeOptions({ ...secure, udpport: 1 })).join('\n'),
    'profile: elasticache-serverless has no UDP, so not with udpport')
})
