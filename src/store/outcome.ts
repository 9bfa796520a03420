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

/** The reasons why a write of a client is refused. The value is lost, and the client may have asked not to be told. */
export const enum Refusal {
  /** The item would be larger than -I allows. */
  TooLarge,
  NoMemory,
  /** The line of the command is wrong, or no line end follows the value. */
  BadData,
}

/** The outcomes of a storage command whose value the store has no room for. */
export type Failure = Outcome.TooLarge | Outcome.NoMemory
