// Node's timers, as they were when this module was loaded. Fake timers that a program's tests install later replace the globals
// and the functions of `node:timers`; a server that used those would stop serving. So all files that need a timer import it from
// here, by its usual name; a test compares. They are taken from `node:timers`, as jest gives each test file globals of its own,
// which may be fake from the start.
import * as timers from 'node:timers'

export const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, clearImmediate } = timers

export const { queueMicrotask } = globalThis

/** Waits for the next turn of the event loop. */
export function turn(): Promise<void> { return new Promise(resolve => { setImmediate(resolve) }) }
