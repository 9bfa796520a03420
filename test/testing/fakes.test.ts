// A TestServer in a program whose test fakes timers: it starts, serves, expires items by its own clock, restarts and stops.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import '../support/fresh.js'

const PROGRAM = fileURLToPath(new URL('faked.js', import.meta.url))

const ANSWERS = 'STORED\r\nVALUE k 0 1\r\nv\r\nEND\r\n' + 'STORED\r\nVALUE long 0 500000\r\nx\r\nEND\r\n' +
  'HD t86400\r\n' + 'HD t3600\r\n' + 'END\r\n' + 'VALUE long 0 500000\r\nx\r\nEND\r\n' + 'END\r\n'

for (const how of ['mock', 'replaced']) {
  for (const when of ['before', 'after']) {
    for (const where of ['1', '2', 'worker1']) {
      const title = { 1: 'one thread', 2: 'two threads', worker1: 'a worker thread' }[where]
      t.test(`${how === 'mock' ? 'node:test mocks all timers' : 'all timers throw'} ${when} it is made, in ${title}`, async t => {
        const { stdout, stderr, status } = spawnSync(process.execPath, [PROGRAM, how, when, where], { encoding: 'utf8', timeout: 60_000 })
        t.same({ stdout, status }, { stdout: ANSWERS, status: 0 }, stderr)
      })
    }
  }
}
