// The Unix signals that a server handles. A signal may arrive while the process listens already but the server is not loaded yet.
// Then it is held until the server can handle it, as the process would otherwise end and leave things behind, such as the draft
// of a Unix socket.

const HANDLED = ['SIGINT', 'SIGTERM', 'SIGUSR1', 'SIGHUP'] as const
export type Signal = (typeof HANDLED)[number]

const early: Signal[] = []
let handle = hold

/** Holds the signals from now on, instead of letting them end the process. */
export function holdSignals(): void {
  for (const signal of HANDLED) process.on(signal, () => handle(signal))
}

/** Holds a signal. If one that ends the server arrives twice, the process ends at once, as a start may wait long for DNS. */
function hold(signal: Signal): void {
  if (signal !== 'SIGHUP' && early.includes(signal)) process.exit(0)
  early.push(signal)
}

/** Passes the signals that are held, and all later ones, to `to`. */
export function takeSignals(to: (signal: Signal) => void): void {
  handle = to
  for (const signal of early.splice(0)) to(signal)
}
