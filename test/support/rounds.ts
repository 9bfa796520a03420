// Rounds that are always tried: tests have too few clients at a time for a server to serve them in rounds by itself.
import { Rounds } from '../../src/net/rounds.js'

/** Has each read of this process kept for a round, from now on. Returns a function that says how many rounds there were. */
export function alwaysInRounds(): () => number {
  const { keepRead, serve } = Rounds.prototype
  let count = 0
  Rounds.prototype.keepRead = function (...read) {
    Reflect.set(this, 'atOnce', 0)
    return keepRead.apply(this, read)
  }
  Rounds.prototype.serve = function () {
    count++
    serve.call(this)
  }
  return () => count
}
