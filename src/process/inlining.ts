// V8's leave to put more functions into one when it optimizes, see src/cli.ts. In a process with other flags than usual V8
// refuses the compiled code of all modules, Node's own too, so it has this leave only while no thread starts. A leaf: any file
// may import it.

/** The limits of what V8 inlines into one function, in bytes of bytecode: V8's default, and that of a server. */
const USUAL = 920
const MORE = 4000

let isWanted = false
let startCount = 0

/** Lets V8 inline more, from now on, except while threads start. */
export function inlineMore(): void {
  isWanted = true
  if (startCount === 0) setLimit(MORE)
}

/** Called before threads start. */
export function threadsStart(): void {
  if (startCount++ === 0 && isWanted) setLimit(USUAL)
}

/** Called when they have loaded their code. */
export function threadsHaveStarted(): void {
  if (--startCount === 0 && isWanted) setLimit(MORE)
}

function setLimit(bytes: number): void {
  // the start has no time for it
  const { setFlagsFromString } = require('node:v8') as typeof import('node:v8')
  setFlagsFromString(`--max-inlined-bytecode-size-cumulative=${bytes}`)
}
