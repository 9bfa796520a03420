import t from 'tap'
import { Settings } from '../../src/server/settings.js'
import '../support/fresh.js'

t.test('so many lines of workers may wait, more are lost and counted', async t => {
  const memory = new SharedArrayBuffer(Settings.BYTES)
  const worker = new Settings(memory)
  const main = new Settings(memory)
  let told = 0
  while (worker.mayPostLine()) told++
  t.equal(told, 1000)
  t.notOk(worker.mayPostLine())
  t.equal(main.lineWritten(), 2, 'both that found no room')
  t.equal(main.lineWritten(), 0)
  t.ok(worker.mayPostLine(), 'there is room again')
})

t.test('what one thread sets another sees', async t => {
  const memory = new SharedArrayBuffer(Settings.BYTES)
  const one = new Settings(memory)
  const other = new Settings(memory)
  one.verbosity = 2
  one.certificatesReadAt = 1.5e12 + 1
  t.equal(other.verbosity, 2)
  t.equal(other.certificatesReadAt, 1.5e12 + 1)
})
