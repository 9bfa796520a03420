// Guesses the option that was meant if the command line or a program names one that does not exist.

/** The letters of a name for each of which one more mistake is allowed, besides the first mistake. */
const LETTERS_FOR_A_MISTAKE = 4

/** `; is it --threads?`: the names that begin with the text, or else the nearest ones; empty if none is near. */
export function guess(written: string, names: readonly string[]): string {
  const begun = written.replace(/^-*/, '').length > 1 ? names.filter(name => name.startsWith(written)) : []
  const meant = begun.length > 0 ? begun : nearest(written, names)
  return meant.length === 0 ? '' : `; is it ${meant.join(' or ')}?`
}

function nearest(written: string, names: readonly string[]): string[] {
  let fewest = 1 + Math.floor(written.replace(/^-*/, '').length / LETTERS_FOR_A_MISTAKE)
  let found: string[] = []
  for (const name of names) {
    const count = mistakes(written, name)
    // a name as short as that would have half of its letters wrong
    if (count > fewest || 2 * count >= name.length) continue
    if (count < fewest) found = []
    fewest = count
    found.push(name)
  }
  return found
}

/** The number of letters that are missing, added, replaced or swapped between two texts. */
function mistakes(one: string, other: string): number {
  let last: number[] = []
  let row = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (let at = 1; at <= one.length; at++) {
    const before = last
    last = row
    row = [at]
    for (let to = 1; to <= other.length; to++) {
      const isSame = one[at - 1] === other[to - 1]
      let count = Math.min(last[to]! + 1, row[to - 1]! + 1, last[to - 1]! + (isSame ? 0 : 1))
      const isSwapped = at > 1 && to > 1 && one[at - 1] === other[to - 2] && one[at - 2] === other[to - 1]
      if (isSwapped) count = Math.min(count, before[to - 2]! + 1)
      row.push(count)
    }
  }
  return row.at(-1)!
}
