// A way of serving sockets quickly that another process has proved is trusted without a proof, but not blindly. Each case has a
// process of its own, as a process proves once.
import { execFileSync } from 'node:child_process'
import t from 'tap'
import '../support/fresh.js'
import { inProject } from '../support/places.js'

const isSwitchedOff = process.env['MEMSLAB_STREAMS'] === '1'
const [major] = process.versions.node.split('.')
const way = Number(major) < 26 ? 'handed' : 'answered'
const other = way === 'handed' ? 'answered' : 'handed'

/** What a process says that trusts a way, where sockets can be connected or not: the proof, and the way that it passes on. */
function prove(trusted: string, canConnect: boolean): unknown {
  const script = `
    if (!${canConnect}) require('node:net').createServer = () => { throw new Error('no sockets') }
    const { trustWay, provenWay } = require('./net/proven.js')
    trustWay('${trusted}')
    require('./net/proof.js').proveQuickWay().then(proof => console.log(JSON.stringify([proof, provenWay()])))`
  return JSON.parse(execFileSync(process.execPath, ['-e', script], { cwd: inProject('dist'), encoding: 'utf8' }))
}

t.test('a way that another process has proved needs no sockets', { skip: isSwitchedOff && 'it is switched off' }, async t => {
  t.same(prove(way, false), [{ way, problem: '' }, way])
})

t.test('a way that this Node does not have is not used', { skip: isSwitchedOff && 'it is switched off' }, async t => {
  t.same(prove(other, true), [{ way, problem: '' }, way])
  t.same(prove(other, false), [{ problem: 'no sockets' }, null])
})
