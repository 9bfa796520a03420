// The few keys that all the generators use, so that items made by one protocol
// are read, changed and deleted by the others.

/** Keys that are counted up and down, with values that make sense there. */
export const COUNTERS = ['n1', 'n2', 'n3', 'n4', 'c\x01\x1f\x7f', 'y'.repeat(249) + '\xff']

/** What every protocol can say. */
export const KEYS = [
  ...COUNTERS,
  'a', 'b', 'c', 'd', 'e', 'key-of-some-length', 'k:1', 'k:2', 'END', 'VALUE', 'x'.repeat(250), 'caf\xc3\xa9', '\x80\xff\xfe',
    'tab\there',
]

/**
 * Keys that meta commands give in base64, which marks the item. memcached forgets the mark when such an item grows (the
 * block base64-append-keeps-the-mark) and when mg makes one, so they are only set: nothing is joined to them or counted.
 */
export const MARKED_KEYS = ['marked', '\0\x01\x02', '\xfe\xff', 'm'.repeat(187)]
/** The one among them that a text command can say. */
export const MARKED_WORD = 'marked'

/** Values that a counter can have, and nearly. */
export const NUMBERS = ['0', '1', '5', '9', '10', '99', '007', '4294967295', '4294967296', '8589934592', '18446744073709551616',
  ' 5', '5 ', '+5', '-5', '5x', '12 34', '1.5', '0x1f', '7\0', '\r\n7']

/** What counters are changed by. */
export const DELTAS = ['0', '1', '1', '2', '9', '10', '99', '1000', '4294967295', '4294967296', '1099511627776']

/** Only meta commands use it: the name of an unmarked item, which a binary request would make, is told as it is. */
export const KEY_OF_TWO_LINES = 'a b\r\n'
