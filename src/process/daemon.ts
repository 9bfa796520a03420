// `-d`: the command starts a copy of itself that outlives the terminal, and waits until the copy either listens or has
// failed, so that its exit code tells which. The copy reports it on a pipe of its own; its warnings until then come through to
// the terminal.
import { spawn } from 'node:child_process'
import { closeSync, writeSync } from 'node:fs'
import { type Readable } from 'node:stream'

/** Tells the copy that it is one. */
const MARK = 'MEMSLAB_DAEMON'
const READY_FD = 3
const EX_OSERR = 71

/** True if this process is the copy: the process that started it has marked it with its own process id. */
export const isDaemon = process.env[MARK] === String(process.ppid)

/**
 * Starts the copy.
 * @param keepsStderr whether it goes on writing to the terminal, as memcached does with `-d -v`
 * @returns 0 once it listens, otherwise its exit code
 */
export function startDaemon(argv: readonly string[], keepsStderr: boolean): Promise<number> {
  const script = process.argv[1] ?? ''
  const daemon = spawn(process.execPath, [...process.execArgv, script, ...argv], {
    detached: true,
    stdio: ['ignore', 'ignore', keepsStderr ? 'inherit' : 'pipe', 'pipe'],
    env: { ...process.env, [MARK]: String(process.pid) },
  })
  daemon.stderr?.on('data', (bytes: Buffer) => process.stderr.write(bytes))
  return new Promise(resolve => {
    const ready = daemon.stdio[READY_FD] as Readable
    ready.once('data', () => {
      daemon.unref()
      daemon.stderr?.destroy()
      ready.destroy()
      resolve(0)
    })
    daemon.once('close', code => resolve(code ?? EX_OSERR))
    daemon.once('error', () => resolve(EX_OSERR))
  })
}

/** The copy listens: lets the command that started it end, and leaves its directory, which may be removed then. */
export function leaveTerminal(): void {
  writeSync(READY_FD, 'listening')
  closeSync(READY_FD)
  process.chdir('/')
}
