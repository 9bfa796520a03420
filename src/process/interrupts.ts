// The signals that a server heeds. They may come before it is loaded, while it listens already: then they wait for it, as
// otherwise the process would end and leave behind what it has begun, the draft of a Unix socket for one. A leaf: anyone may
// import it.

const HEEDED = ['SIGINT', 'SIGTERM', 'SIGUSR1', 'SIGHUP'] as const
export type Signal = (typeof HEEDED)[number]

const early: Signal[] = []
let heed = hold

/** Keeps the signals from ending the process. */
export function holdSignals(): void {
  for (const signal of HEEDED) process.on(signal, () => heed(signal))
}

/** Keeps a signal. One that ends a server ends it at once when it comes again: looking up an address may take long. */
function hold(signal: Signal): void {
  if (signal !== 'SIGHUP' && early.includes(signal)) process.exit(0)
  early.push(signal)
}

/** Hands all signals to `to`, first of all those that have come before. */
export function takeSignals(to: (signal: Signal) => void): void {
  heed = to
  for (const signal of early.splice(0)) to(signal)
}
