// The signals that a server heeds. They may come before it is loaded, while it listens already: then they wait for it, as
// otherwise the process would end and leave behind what it has begun, the draft of a Unix socket for one. A leaf: anyone may
// import it.

const HEEDED = ['SIGINT', 'SIGTERM', 'SIGUSR1', 'SIGHUP'] as const
export type Signal = (typeof HEEDED)[number]

const early: Signal[] = []
let heed = hold

/** They end the process no more, from now on. */
export function holdSignals(): void {
  for (const signal of HEEDED) process.on(signal, () => heed(signal))
}

/** What ends a server does not wait when it comes again: an address that is looked up may take its time. */
function hold(signal: Signal): void {
  if (signal !== 'SIGHUP' && early.includes(signal)) process.exit(0)
  early.push(signal)
}

/** From now on they are for this, first of all those that have come. */
export function takeSignals(to: (signal: Signal) => void): void {
  heed = to
  for (const signal of early.splice(0)) to(signal)
}
