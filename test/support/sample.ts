// What job.test.ts runs in place of a test file. MEMSLAB_SAMPLE says what it does.

import { spawn } from 'node:child_process'

import './kin.js'

console.log('TAP version 14\nok 1 - one is one')
switch (process.env['MEMSLAB_SAMPLE']) {
  case 'ends well':
    console.log('1..1')
    break
  case 'fails':
    console.log('not ok 2 - two is one\n  ---\n  two: 2\n  ...\n1..2')
    process.exitCode = 1
    break
  case 'leaves a process behind':
    startSleeper()
    console.log('1..1')
    break
  case 'is killed':
    startSleeper()
    process.kill(process.pid, 'SIGKILL')
    break
  case 'breaks off':
    console.log('# Subtest: the second')
    process.exit(3)
    break
  case 'sleeps':
    startSleeper()
    setInterval(() => {}, 1e6)
}

/** In a session of its own, as a daemon is. */
function startSleeper(): void {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { detached: true, stdio: 'ignore' })
  child.unref()
  console.log(`# sleeper ${child.pid}`)
}
