// Finds a short story that goes wrong in a long one.

/** For how long it is worth looking. */
const PATIENCE_MS = 30_000

/** The shortest sequence found that still fails: its last steps lose those before them, then one step after the other. */
export async function shrink<Step>(history: readonly Step[],
  fails: (steps: readonly Step[]) => Promise<boolean>): Promise<readonly Step[]> {
  const end = performance.now() + PATIENCE_MS
  let kept = history
  for (let length = 1; length < history.length && performance.now() < end; length *= 2) {
    const suffix = history.slice(-length)
    if (!await fails(suffix)) continue
    kept = suffix
    break
  }
  for (let index = kept.length - 2; index >= 0 && performance.now() < end; index--) {
    const shorter = [...kept.slice(0, index), ...kept.slice(index + 1)]
    if (await fails(shorter)) kept = shorter
  }
  return kept
}
