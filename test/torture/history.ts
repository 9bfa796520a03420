// What happened to a server, as its clients saw it: an Operation for each thing that one request did to one key.
// All clients are in one process, which numbers what happens in it: an operation begins with the number when its request was
// sent and ends with that when its answer had been read, so it took effect somewhere between the two. Those of one
// connection took effect in the order in which they are recorded.
//
// The value of a key is told by who made it: the write that it begins with, the pieces that were put before and behind it,
// and what was added to it if it is a number. Each write and each piece occurs once, so no two values are the same.

export interface Value {
  /** The write that it begins with, by its number. */
  readonly base: number
  /** What was prepended, the oldest first. */
  readonly front: readonly number[]
  /** What was appended, the oldest first. */
  readonly back: readonly number[]
  /** How far a number has gone from where its write began, up or down. */
  readonly sum: number
}

/** What the answer says of the item as it was when the request was carried out. */
export type Sight =
  | { readonly is: 'unknown' }
  | { readonly is: 'absent' }
  /** It was there, whatever it was. */
  | { readonly is: 'present' }
  | { readonly is: 'value', readonly value: Value, readonly token?: string }
  /** It had this cas number, or had another. */
  | { readonly is: 'token' | 'other', readonly token: string }

export type Effect =
  | { readonly does: 'nothing' }
  /**
   * A new value, whose `base` is this operation.
   * @param token its cas number, if the answer told it
   * @param lasts 'never': it has expired already; 'briefly': it expires some time
   */
  | { readonly does: 'write', readonly token?: string | undefined, readonly lasts?: 'never' | 'briefly' }
  /** A piece of this operation's number. */
  | { readonly does: 'prepend' | 'append' }
  | { readonly does: 'count', readonly amount: number, readonly result?: Value, readonly token?: string | undefined }
  | { readonly does: 'remove' }
  /** From now on it expires some time. */
  | { readonly does: 'fade' }

export interface Operation {
  readonly id: number
  readonly connection: number
  /** EVERY_KEY for flush_all. */
  readonly key: string
  /** As in the request, for people. */
  name: string
  begin: number
  /** Infinity if there was no answer. */
  end: number
  saw: Sight
  effect: Effect
  /** False: nobody was told whether it took effect. */
  isCertain: boolean
}

export const EVERY_KEY = '*'

export class History {
  readonly operations: Operation[] = []
  private order = 0

  /** The next number of what happens in this process. */
  tick(): number {
    return ++this.order
  }

  /** An operation that is about to be sent; what came of it is filled in later. */
  record(connection: number, key: string, name: string): Operation {
    const operation: Operation = {
      id: this.operations.length, connection, key, name, begin: 0, end: Infinity,
      saw: { is: 'unknown' }, effect: { does: 'nothing' }, isCertain: true,
    }
    this.operations.push(operation)
    return operation
  }
}

export function describe({ id, connection, key, name, begin, end, saw, effect, isCertain }: Operation): string {
  const what = `saw ${describeSight(saw)}, did ${describeEffect(effect)}${isCertain ? '' : ', perhaps'}`
  return `#${id} on ${connection} at ${begin}..${end}: ${name} ${key}, ${what}`
}

export function describeValue({ base, front, back, sum }: Value): string {
  const pieces = [...front.toReversed(), `<${base}>`, ...back].join(' ')
  return sum === 0 ? pieces : `${pieces} + ${sum}`
}

function describeSight(saw: Sight): string {
  if (saw.is === 'value') return `${describeValue(saw.value)}${saw.token === undefined ? '' : ` (cas ${saw.token})`}`
  return 'token' in saw ? `${saw.is} ${saw.token}` : saw.is
}

function describeEffect(effect: Effect): string {
  switch (effect.does) {
    case 'write': {
      const token = effect.token === undefined ? '' : ` (cas ${effect.token})`
      return `write${token}${effect.lasts === undefined ? '' : ` that lasts ${effect.lasts}`}`
    }
    case 'count': return `count ${effect.amount}${effect.result === undefined ? '' : ` to ${describeValue(effect.result)}`}`
    default: return effect.does
  }
}
