// Where a server answers HTTP.
import t from 'tap'
import { MemslabError } from '../../src/errors.js'
import { httpPlace, withPort } from '../../src/options/http.js'
import { completeOptions, parseArguments } from '../../src/options/options.js'
import { ServerCore } from '../../src/server/core.js'
import { TestServer } from '../../src/testing/index.js'
import { Client } from '../support/client.js'
import { start } from '../support/command.js'
import { until } from '../support/patience.js'
import { startServer } from '../support/server.js'
import { ask } from './ask.js'

const parse = (line: string) => parseArguments(line.split(' '), {})

t.test('-o http is the ports of all clients, or a port of its own', async t => {
  for (const [line, http] of [
    ['-v', false], ['-o http', true], ['-o http=8080', '8080'], ['-o http=0', '0'], ['-o http,http=10.0.0.5:80', '10.0.0.5:80'],
    ['-o http=[::1]:80', '[::1]:80'], ['-o http -o no_http', false], ['-o http=8080,http', true],
  ] as const) {
    const { options, problems } = parse(line)
    t.same(problems, [], line)
    t.equal(options.http, http, line)
  }
  for (const [value, problem] of [
    ['70000', /^-o http: "70000" is not a port number$/], ['localhost', /^-o http: "localhost" has no port$/],
    ['proto[ascii]:1.2.3.4:5', /speaks only HTTP/], ['1.2.3.4:x', /"x" is not a port number/], ['', /names no address/],
  ] as const) t.match(parse(`-o http=${value}`).problems, [problem], value)
  t.match(parse('--nodes 2 -o http=8080').problems, [/^--nodes: each node answers HTTP on its own port/])
})

t.test('the port of its own is on the hosts of -l, without their ports', async t => {
  const place = (options: Parameters<typeof completeOptions>[0]) => httpPlace(completeOptions(options)).own
  t.same(place({ http: 8080 }), { listen: [], port: 8080 })
  t.same(place({ http: '8080', listen: ['10.0.0.1:1', '10.0.0.1:2', '[::1]:3', 'btls:name'] }),
    { listen: ['10.0.0.1', '[::1]', 'btls:name'], port: 8080 })
  t.same(place({ http: 8080, socketPath: '/socket' }), { listen: ['127.0.0.1'], port: 8080 })
  t.same(place({ http: '10.0.0.5:80', listen: ['10.0.0.1'] }), { listen: ['10.0.0.5:80'], port: 0 })
  t.equal(place({ http: true }), undefined)
})

t.test('a port that was found is kept', async t => {
  t.equal(withPort(0, 81), 81)
  t.equal(withPort('0', 81), '81')
  t.equal(withPort('10.0.0.5:0', 81), '10.0.0.5:81')
  t.equal(withPort('10.0.0.5:80', 80), '10.0.0.5:80')
  t.equal(withPort('[::1]:0', 0), '[::1]:0')
})

t.test('where nobody may ask by it, it is off, and that is said', async t => {
  for (const [line, warning] of [
    ['-S -o http', /^-o http: is off, as -S\/--enable-sasl has no users/],
    ['-Z -o ssl_chain_cert=/x,profile=elasticache-serverless,http', /^-o http: elasticache-serverless has no HTTP$/],
  ] as const) {
    const { options, warnings } = parse(line)
    t.same(httpPlace(options), { isShared: false, own: undefined })
    t.ok(warnings.some(line => warning.test(line)), warnings.join('; '))
  }
  t.equal(httpPlace(parse('-S -Y users -o http').options).isShared, true)
})

t.test('a server may have more names', async t => {
  const { options, problems } = parse('-o http,http_host=Cache.Example,http_host=memslab')
  t.same(problems, [])
  t.same(options.httpHosts, ['Cache.Example', 'memslab'])
  for (const wrong of ['a:1', '', 'a/b', '[::1]']) t.match(parse(`-o http_host=${wrong}`).problems, [/is not a name$/], wrong)
  t.throws(() => new ServerCore({ httpHosts: ['a:1'] }), { code: 'EUSAGE' })
  t.throws(() => new ServerCore(JSON.parse('{ "httpHosts": "name" }') as object), { code: 'EUSAGE' })
  const { server, client } = await startServer(t, { http: true, httpHosts: options.httpHosts })
  for (const [host, status] of [['cache.example', 200], ['memslab:11211', 200], ['example', 421], ['x.memslab', 421]] as const) {
    t.equal((await ask(server.port, '/stats/hash', { headers: { host } })).status, status, host)
  }
  t.match(String(await client.says('stats settings\r\n', /[^]*END\r\n/)), /^STAT http_host Cache\.Example,memslab\r$/m)
})

t.test('a program is told what is wrong', async t => {
  for (const http of [null, {}, 'x', -1, 1.5, 70_000]) {
    t.throws(() => new ServerCore(JSON.parse(JSON.stringify({ http })) as { http: boolean }), { code: 'EUSAGE' }, String(http))
  }
})

t.test('stats settings shows it if it is on', async t => {
  for (const [http, shown] of [[true, 'yes'], ['127.0.0.1:0', '127\\.0\\.0\\.1:0'], [false, undefined]] as const) {
    const { client } = await startServer(t, { http })
    const settings = String(await client.says('stats settings\r\n', /[^]*END\r\n/))
    t.equal(/^STAT http /m.test(settings), shown !== undefined)
    if (shown !== undefined) t.match(settings, new RegExp(`^STAT http ${shown}\r$`, 'm'))
  }
})

t.test('a port of its own that is in use is an error, and leaves nothing open', async t => {
  const { server: first } = await startServer(t, { http: 0 })
  for (const threads of [1, 2]) {
    const second = new ServerCore({ port: -1, listen: ['127.0.0.1'], http: first.httpPort, threads })
    t.teardown(() => second.close())
    const cause: unknown = await second.listen().catch((error: unknown) => error)
    t.ok(cause instanceof MemslabError && cause.code === 'EADDRINUSE', String(cause))
    t.same(second.addresses, [])
  }
})

t.test('beside a Unix socket and without any other, a port of its own serves', async t => {
  const { server: beside } = await startServer(t, { over: 'unix', http: 0, threads: 2 })
  t.equal(beside.port, 0)
  t.equal((await ask(beside.httpPort, '/healthz')).body, 'ok\n')
  const alone = new ServerCore({ port: 0, http: '127.0.0.1:0' })
  t.teardown(() => alone.close())
  await alone.listen()
  t.equal((await ask(alone.httpPort, '/healthz')).body, 'ok\n')
  t.equal(alone.httpUrl, `http://127.0.0.1:${alone.httpPort}/`)
})

t.test('with free ports on several addresses, they have the same one', async t => {
  const server = new ServerCore({ port: -1, listen: ['127.0.0.1', '127.0.0.2'], http: 0 })
  t.teardown(() => server.close())
  await server.listen()
  const hosts = ['127.0.0.1', `127.0.0.2:${server.httpPort}`]
  for (const host of hosts) t.equal((await ask(server.httpPort, '/healthz', { headers: { host } })).status, 200)
  const other = await Client.connect({ host: '127.0.0.2', port: server.httpPort })
  await other.says('GET /healthz HTTP/1.0\r\n\r\n', /HTTP\/1\.1 200 [^]*ok\n/)
})

t.test('the command says where its page is', async t => {
  const npm = { npm_lifecycle_event: 'start', npm_package_name: 'memslab' }
  for (const args of [['-o', 'http'], ['-o', 'http=127.0.0.1:0', '-t', '2']]) {
    const { output } = await start(t, args, npm)
    await until('a line', () => output.stderr.endsWith('\n'))
    const url = /^memslab .* listens on TCP .*; its page is (http:\/\/127\.0\.0\.1:(\d+)\/)\n$/.exec(output.stderr)
    t.equal((await ask(Number(url?.[2]), '/')).headers['content-type'], 'text/html; charset=utf-8', output.stderr)
  }
})

t.test('a TestServer has it, and keeps its port', async t => {
  for (const http of [true, 0]) {
    const cache = await TestServer.create({ http })
    const { httpPort } = cache
    t.equal(httpPort === cache.port, http === true)
    t.equal((await ask(httpPort, '/healthz')).body, 'ok\n')
    await cache.restart()
    t.equal(cache.httpPort, httpPort)
    t.equal((await ask(httpPort, '/stats/general')).status, 200)
    await cache.stop()
  }
  const without = await TestServer.create()
  t.equal(without.httpPort, 0)
  await without.stop()
})
