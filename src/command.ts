// The `memslab` command: argv -> options -> server, and its exit codes. It prints the answers to -h, -V and -i on stdout, and all
// else on stderr. The server is loaded only when it is needed, so that -h answers at once.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { MemslabError } from './errors.js'
import { helpText, parseArguments, versionText } from './options/options.js'
import { type Preparations } from './process/prepare.js'
import { holdSignals } from './process/interrupts.js'
import { stackOf } from './stack.js'

/** Exit codes as in sysexits.h, and as memcached uses them. */
const EX_OK = 0
const EX_USAGE = 64
const EX_NOUSER = 67
const EX_SOFTWARE = 70
const EX_OSERR = 71

/** The exit codes of errors, by their code; EX_OSERR for all others. */
const EXIT_CODES: Readonly<Record<string, number>> = { ENOUSER: EX_NOUSER, EDIED: EX_SOFTWARE }

let isStderrOpen = false

// an uncaught error in this thread is a bug too, and memory may be half written
process.on('uncaughtException', error => {
  complain(`memslab has died: ${stackOf(error)}`)
  process.exit(EX_SOFTWARE)
})

let noteStart = (): void => {}
/** Resolves when the server serves, with all threads that do not wait for clients; stays pending if there is none. */
export const started = new Promise<void>(resolve => { noteStart = resolve })

/** Lets V8 inline more from now on, see process/inlining.ts. */
export async function inlineMore(): Promise<void> {
  const inlining = await import('./process/inlining.js')
  inlining.inlineMore()
}

void main(process.argv.slice(2)).then(exitCode => { process.exitCode = exitCode })

async function main(argv: readonly string[]): Promise<number> {
  const line = parseArguments(argv, process.env)
  if (line.action !== 'serve') {
    process.stdout.write(answer(line.action))
    return EX_OK
  }
  if (line.problems.length > 0) return refuse(line.problems)
  const { isDaemon, startDaemon } = await import('./process/daemon.js')
  if (line.options.daemonize && !isDaemon) return startDaemon(argv, line.options.verbosity > 0)
  for (const warning of line.warnings) complain(`WARNING: ${warning}`)
  // Node writes there what its workers write
  if (line.options.threads > 1) openStderr()
  holdSignals()
  const { lasting, prepare } = await import('./process/prepare.js')
  let preparations: readonly Preparations[] = []
  try {
    const { withAllowedThreads } = await import('./process/limits.js')
    preparations = await prepare(withAllowedThreads(line.options, complain), complain)
    const { serve } = await import('./process/serve.js')
    await serve(preparations, lasting(line.portFile), complain, noteStart)
    return EX_OK
  } catch (error) {
    for (const { listeners } of preparations) void listeners?.close()
    if (!(error instanceof MemslabError)) throw error
    if (error.problems.length > 0) return refuse(error.problems)
    complain(error.message)
    return EXIT_CODES[error.code] ?? EX_OSERR
  }
}

function answer(action: 'help' | 'version' | 'license'): string {
  if (action === 'help') return helpText()
  const license = () => readFileSync(join(__dirname, '../LICENSE'), 'utf8')
  return action === 'version' ? `${versionText()}\n` : `${versionText()}\n\n${license()}`
}

function refuse(problems: readonly string[]): number {
  for (const problem of problems) complain(`memslab: ${problem}`)
  complain('memslab -h lists the options')
  return EX_USAGE
}

/**
 * Opens stderr, which takes so long that it waits for the first use. Its errors are ignored: the other end, a terminal or a
 * pipe, may be gone, or a disk full.
 */
function openStderr(): void {
  if (!isStderrOpen) process.stderr.on('error', () => {})
  isStderrOpen = true
}

function complain(line: string): void {
  openStderr()
  process.stderr.write(`${line}\n`)
}
