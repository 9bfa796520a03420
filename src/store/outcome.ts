// The outcomes of the store's operations. Each protocol has one table from outcomes to its own replies.

export const enum Outcome {
  Stored,
  NotStored,
  Exists,
  NotFound,
  Deleted,
  Touched,
  /** The value is in `request.digits`. */
  Number,
  NonNumeric,
  TooLarge,
  NoMemory,
}

/** The outcomes of a storage command whose value the store has no room for. */
export type Failure = Outcome.TooLarge | Outcome.NoMemory
