// What an operation of the store came to. Every protocol has one table from these to its own words.

export const enum Outcome {
  Stored,
  NotStored,
  Exists,
  NotFound,
  Deleted,
  Touched,
  /** The value is in `request.number`. */
  Number,
  NonNumeric,
  TooLarge,
  NoMemory,
}

/** The outcomes of a value for which there is no room. */
export type Failure = Outcome.TooLarge | Outcome.NoMemory
