// The mark of a test file, see kin.ts. A leaf.

/** The variable that is the mark. Run by run.ts, a file is given one; run alone, it takes one of its own. */
export const MARK = 'MEMSLAB_TEST_FILE'
