// Who may ask, and what.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { startServer } from '../support/server.js'
import { ANSWER, ask, askJson } from './ask.js'

function basic(pair: string): Record<string, string> { return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` } }

function usersFile(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'memslab-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  writeFileSync(join(folder, 'users'), 'anna:secret\nbob:a:b\n')
  return join(folder, 'users')
}

t.test('a request has to name the server by an address or by a name of its own', async t => {
  const { server } = await startServer(t, { http: true })
  for (const host of ['127.0.0.1', `127.0.0.1:${server.port}`, '10.1.2.3:80', '[::1]', '[::1]:11211', 'localhost:11211', 'LocalHost',
    'localhost.', hostname(), `${hostname().toUpperCase()}:1`]) {
    t.equal((await ask(server.port, '/stats', { headers: { host } })).status, 200, host)
  }
  for (const host of ['evil.example', `evil.example:${server.port}`, 'localhost.evil.example', '127.0.0.1.evil.example', '[evil]',
    '1.2.3', 'localhost@evil.example', 'local host']) {
    const { status, headers } = await ask(server.port, '/stats', { headers: { host } })
    t.equal(status, 421, host)
    t.equal(headers['access-control-allow-origin'], undefined)
  }
})

t.test('a name of -l is one of its own', async t => {
  const { server } = await startServer(t, { http: '127.0.0.1:0' })
  t.equal((await ask(server.httpPort, '/stats')).status, 200)
  const { Access } = await import('../../src/http/access.js')
  const { completeOptions } = await import('../../src/options/options.js')
  const options = completeOptions({ listen: ['Cache.Example:11211', '[::1]'], http: 'notls:metrics.example:9150' })
  const access = new Access({ ...server.host, options, credentials: undefined } as typeof server.host)
  const refusal = (host: string) => access.refusal({ headers: { host } } as Parameters<typeof access.refusal>[0], true)?.status
  t.equal(refusal('cache.example'), undefined)
  t.equal(refusal('metrics.example:9150'), undefined)
  t.equal(refusal('example'), 421)
})

t.test('HTTP/1.1 needs a host, HTTP/1.0 does not', async t => {
  const { connect } = await startServer(t, { http: true })
  const [without, empty, old] = [await connect(), await connect(), await connect()]
  await empty.says('GET /healthz HTTP/1.1\r\nHost:\r\n\r\n', /HTTP\/1\.1 421 [^]*/)
  await without.says('GET /healthz HTTP/1.1\r\n\r\n', /HTTP\/1\.1 400 [^]*/)
  await old.says('GET /healthz HTTP/1.0\r\n\r\n', /HTTP\/1\.1 200 OK\r\n[^]*ok\n/)
  await old.expectClosed()
})

t.test('a page of another site may lead here, but not ask', async t => {
  const { server } = await startServer(t, { http: true })
  const from = async (site: string, mode: string): Promise<number> =>
    (await ask(server.port, '/stats', { headers: { 'sec-fetch-site': site, 'sec-fetch-mode': mode } })).status
  t.equal(await from('cross-site', 'no-cors'), 403)
  t.equal(await from('cross-site', 'cors'), 403)
  t.equal(await from('cross-site', 'navigate'), 200)
  t.equal(await from('same-origin', 'cors'), 200)
  t.equal(await from('none', 'navigate'), 200)
})

t.test('every answer tells browsers what they may do with it', async t => {
  const { server } = await startServer(t, { http: true })
  for (const path of ['/', '/stats', '/healthz', '/nothing']) {
    const { headers } = await ask(server.port, path)
    t.equal(headers['x-content-type-options'], 'nosniff', path)
    t.equal(headers['cache-control'], 'no-store', path)
    t.match(headers['content-security-policy'], /^default-src 'none';.*frame-ancestors 'none'/, path)
    t.equal(headers['x-frame-options'], 'DENY', path)
    t.equal(headers['access-control-allow-origin'], undefined, path)
  }
})

t.test('only GET and HEAD are answered, and only paths that are there', async t => {
  const { server, connect } = await startServer(t, { http: true })
  for (const path of ['/stats/nothing', '/stats/', '/Stats', '//stats', '/stats/__proto__', '/stats/constructor', '/x?y=/stats']) {
    t.equal((await ask(server.port, path)).status, 404, path)
  }
  t.equal((await ask(server.port, '/stats/general?x=1&x')).status, 200)
  const client = await connect()
  await client.says('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nPOST /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n',
    /HTTP\/1\.1 200 [^]*ok\nHTTP\/1\.1 405 [^]*Allow: GET, HEAD[^]*answered\.\n/)
  const { status, body, headers } = await ask(server.port, '/stats/settings', { method: 'HEAD' })
  t.equal(status, 200)
  t.equal(body, '')
  t.ok(Number(headers['content-length']) > 100)
  const wrong = await connect()
  await wrong.says('GET /healthz HTTP/1.1\r\nno header\r\n\r\n', /HTTP\/1\.1 400 [^]*/)
  await wrong.expectClosed()
})

t.test('with -Y, HTTP asks for the same users', async t => {
  const { server, client } = await startServer(t, { http: true, authFile: usersFile(t) })
  await client.says('set k 0 0 11\r\nanna secret\r\n', 'STORED\r\n')
  const without = await ask(server.port, '/stats')
  t.equal(without.status, 401)
  t.match(without.headers['www-authenticate'], /^Basic realm="memslab"/)
  for (const [pair, status] of [
    ['anna:secret', 200], ['bob:a:b', 200], ['anna:wrong', 401], ['anna', 401], ['', 401], [':', 401], ['bob:a', 401],
  ] as const) t.equal((await ask(server.port, '/stats', { headers: basic(pair) })).status, status, pair)
  t.equal((await ask(server.port, '/stats', { headers: { authorization: 'Bearer x' } })).status, 401)
  t.equal((await ask(server.port, '/nothing')).status, 401, 'what is there is not told')
  for (const path of ['/healthz', '/readyz']) t.equal((await ask(server.port, path)).status, 200, path)
  const counts = String(await client.says('stats\r\n', /[^]*END\r\n/))
  t.match(counts, /STAT auth_cmds 7\r/)
  t.match(counts, /STAT auth_errors 4\r/)
})

t.test('a client that asks by HTTP is not ended by auth_timeout', async t => {
  const { connect, pass } = await startServer(t, { http: true, authFile: usersFile(t), authTimeout: 5 })
  const browser = await connect()
  await browser.says(`GET /stats/hash HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${basic('anna:secret')['authorization']}\r\n\r\n`, ANSWER)
  const silent = await connect()
  for (let second = 0; second < 8; second++) await pass(1000)
  await silent.expectClosed()
  await browser.says('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n', ANSWER)
})

t.test('with -S HTTP asks for those users, and without users it is off', async t => {
  const { server } = await startServer(t, { http: true, sasl: true, authFile: usersFile(t) })
  t.equal((await ask(server.port, '/stats')).status, 401)
  t.equal((await ask(server.port, '/stats', { headers: basic('anna:secret') })).status, 200)
})

t.test('-X forbids what shows keys, and nothing else', async t => {
  const { server } = await startServer(t, { http: true, dumpEnabled: false })
  const { forbidden } = await askJson(server.port, '/stats')
  t.ok(Array.isArray(forbidden))
  for (const name of forbidden as string[]) {
    const path = name === 'explain' ? '/explain?key=k' : `/stats/${name}`
    t.equal((await ask(server.port, path)).status, 403, name)
  }
  t.equal((await ask(server.port, '/stats/general')).status, 200)
  const open = await startServer(t, { http: true })
  t.same((await askJson(open.server.port, '/stats'))['forbidden'], [])
})
