// `-d`: the command starts a copy of itself that outlives the terminal. It waits until the copy listens or has failed, and
// reports that by its exit code. The copy writes to a pipe when it listens. Until then its warnings reach the terminal.
import { closeSync, writeSync } from 'node:fs'
import { type Readable } from 'node:stream'

/** The environment variable that marks the copy. */
const MARK = 'MEMSLAB_DAEMON'
const READY_FD = 3
const EX_OSERR = 71

/** True if this process is the copy. The process that started it has put its own process id into the mark. */
export const isDaemon = process.env[MARK] === String(process.ppid)

/**
 * Starts the copy.
 * @param keepsStderr true if the copy goes on writing to the terminal, as memcached does with `-d -v`
 * @returns 0 once the copy listens, otherwise its exit code
 */
export async function startDaemon(argv: readonly string[], keepsStderr: boolean): Promise<number> {
  const { spawn } = await import('node:child_process')
  const script = process.argv[1] ?? ''
  const daemon = spawn(process.execPath, [...process.execArgv, script, ...argv], {
    detached: true,
    stdio: ['ignore', 'ignore', keepsStderr ? 'inherit' : 'pipe', 'pipe'],
    env: { ...process.env, [MARK]: String(process.pid) },
  })
  // the terminal may be gone
  process.stderr.on('error', () => {})
  daemon.stderr?.on('data', (bytes: Buffer) => process.stderr.write(bytes))
  return await new Promise(resolve => {
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

/** Called by the copy when it listens: lets the command that started it end, and changes to `/`, so that no folder is in use. */
export function leaveTerminal(): void {
  writeSync(READY_FD, 'listening')
  closeSync(READY_FD)
  process.chdir('/')
}
