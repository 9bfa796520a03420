// Finds a short story that goes wrong in a long one.

const TRIES_MAX = 500

/** The shortest sequence found that still fails: its last steps lose those before them, then one step after the other. */
export async function shrink<Step>(history: readonly Step[], fails: (steps: readonly Step[]) => Promise<boolean>): Promise<readonly Step[]> {
  let kept = history
  for (let length = 1; length < history.length; length *= 2) {
    const suffix = history.slice(-length)
    if (!await fails(suffix)) continue
    kept = suffix
    break
  }
  for (let index = kept.length - 2, tries = 0; index >= 0 && tries < TRIES_MAX; index--, tries++) {
    const shorter = [...kept.slice(0, index), ...kept.slice(index + 1)]
    if (await fails(shorter)) kept = shorter
  }
  return kept
}
