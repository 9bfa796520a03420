// A server that is stopped for a while in the middle of what it does, as an operator or a virtual machine that pauses does
// it, goes on as if nothing had happened: nobody takes who does not move for dead, and no client loses anything. The whole
// process is stopped by SIGSTOP, which has no smaller unit; a single thread by ptrace, as a debugger does it. A second each;
// MEMSLAB_STOP_SECONDS makes it longer.
//
//   MEMSLAB_STOP_SECONDS=15 npm test -- soak/stopped

import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

import t, { type Test } from 'tap'

import { spawnServer } from '../clients/server.js'
import type { SpawnedServer } from '../clients/server.js'
import { runProgram } from './program.js'
import { Load } from './load.js'
import { Steady } from './steady.js'

const SECONDS = Number(process.env['MEMSLAB_STOP_SECONDS'] ?? 1)
const SEED = Number(process.env['MEMSLAB_SEED'] ?? 20261128)
const STEADY_CLIENTS = 8
/** How many answers show that it goes on. */
const ANSWERS = 200
/** How long it is watched which threads are the ones that serve. */
const WATCH_MS = 1000
/** Those of four threads that serve, and the one of the background. */
const THREADS = 5
/** So much memory that nothing has to go. */
const ARGS = ['-t', '4', '-m', '1024']

/** Stops a thread, and lets it go after some seconds. PTRACE_SEIZE and PTRACE_INTERRUPT leave its process alone. */
const STOP_THREAD = `
import ctypes, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_ulong, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_void_p]
SEIZE, INTERRUPT, DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000
thread = int(sys.argv[1])
if libc.ptrace(SEIZE, thread, None, None) != 0: sys.exit(77)
libc.ptrace(INTERRUPT, thread, None, None)
os.waitpid(thread, WALL)
time.sleep(float(sys.argv[2]))
libc.ptrace(DETACH, thread, None, None)
`

const isLinux = process.platform === 'linux'

t.test('the whole process is stopped under load', { skip: process.platform === 'win32' && 'no SIGSTOP' }, async t => {
  await underLoad(t, async (server, steady) => {
    for (let times = 0; times < 3; times++) {
      process.kill(server.pid, 'SIGSTOP')
      await sleep(SECONDS * 1000)
      process.kill(server.pid, 'SIGCONT')
      await steady.progress(ANSWERS)
    }
  })
})

t.test('each thread by itself is stopped under load', { skip: !canStopThreads() && 'no python3 that may use ptrace' },
  async t => {
  await underLoad(t, async (server, steady) => {
    for (const thread of await busiestThreads(server.pid)) {
      const { code, output } = await runProgram('python3', ['-c', STOP_THREAD, String(thread), String(SECONDS)])
      t.equal(code, 0, `thread ${thread} was stopped and let go ${output}`)
      await steady.progress(ANSWERS)
    }
  })
})

async function underLoad(t: Test, act: (server: SpawnedServer, steady: Steady) => Promise<void>): Promise<void> {
  const server = await spawnServer(t, ARGS)
  const clients = await Promise.all(Array.from({ length: STEADY_CLIENTS }, () => server.client()))
  const steady = await Steady.start(clients, SEED)
  const load = new Load(server.port, SEED)
  t.teardown(() => {
    steady.stop()
    load.destroy()
  })
  await steady.progress(ANSWERS)
  await act(server, steady)
  load.check()
  await load.progress(ANSWERS)
  const { keys, found } = await load.end()
  await steady.end()
  t.ok(server.isAlive, `it lives; of ${keys} keys that come and go ${found} are there as they should be, and all that stay`)
  t.equal(server.log, '', 'it has nothing to say about it')
  t.comment(`MEMSLAB_SEED=${SEED}: ${JSON.stringify(load.tally)}, ${steady.answers} steady answers`)
}

function canStopThreads(): boolean {
  return isLinux && spawnSync('python3', ['-c', STOP_THREAD, String(process.pid), '0']).status === 0
}

/** The threads of a process that work most. */
async function busiestThreads(pid: number): Promise<number[]> {
  const threads = readdirSync(`/proc/${pid}/task`).map(Number)
  const before = new Map(threads.map(thread => [thread, ticksOf(pid, thread)]))
  await sleep(WATCH_MS)
  const worked = (thread: number): number => ticksOf(pid, thread) - (before.get(thread) ?? 0)
  return threads.map(thread => ({ thread, ticks: worked(thread) }))
    .sort((one, other) => other.ticks - one.ticks)
    .slice(0, THREADS)
    .map(({ thread }) => thread)
}

/** The processor time that a thread has had. */
function ticksOf(pid: number, thread: number): number {
  const fields = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1').replace(/^.*\) /, '').split(' ')
  return Number(fields[11]) + Number(fields[12])
}
