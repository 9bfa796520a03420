// How long a test goes on that could go on for ever: so many rounds, which are the same on every machine, or, for a longer trial,
// until so many seconds have passed, if a variable says so.
import './fresh.js'

/**
 * Answers, handed how many rounds there have been, whether there is to be another.
 * @param rounds how many there are, unless the variable says for how many seconds
 * @param share which part of the seconds this test has
 */
export function lasting(rounds: number, variable: string, share = 1): (done: number) => boolean {
  const seconds = process.env[variable]
  if (seconds === undefined) return done => done < rounds
  const end = performance.now() + Number(seconds) * 1000 * share
  return () => performance.now() < end
}
