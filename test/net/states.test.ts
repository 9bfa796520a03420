// What `stats conns` says about those who are connected, while they do one thing or another.
import t from 'tap'
import { startServer } from '../support/server.js'

t.test('who watches, who sends a value and who is asked are told apart', async t => {
  const { client, connect, settle } = await startServer(t)
  const watcher = await connect()
  await watcher.says('watch\r\n', 'OK\r\n')
  const storer = await connect()
  await storer.send('set k 0 0 5\r\nab')
  await settle()
  const states = String(await client.says('stats conns\r\n', /[^]*END\r\n/))
  t.same(states.match(/conn_\w+/g)?.sort(), ['conn_listening', 'conn_nread', 'conn_parse_cmd', 'conn_watch'])
})
