// Reply lines of the meta commands that are always the same: their errors first of all.
import { ANSWERS, line } from '../answers.js'

export const META = {
  ...ANSWERS,
  end: line('MN'),
  miss: line('EN'),
  badToken: line('CLIENT_ERROR bad token in command line format'),
  badInitial: line('CLIENT_ERROR invalid numeric initial value'),
  badDelta: line('CLIENT_ERROR invalid numeric delta value'),
  badKey: line('CLIENT_ERROR error decoding key'),
  badSetMode: line('CLIENT_ERROR invalid mode for ms M token'),
  badArithmeticMode: line('CLIENT_ERROR invalid mode for ma M token'),
  badArithmeticFlag: line('CLIENT_ERROR invalid or duplicate flag'),
  invalidFlag: line('CLIENT_ERROR invalid flag'),
  duplicateFlag: line('CLIENT_ERROR duplicate flag'),
  tooManyFlags: line('CLIENT_ERROR options flags are too long'),
  opaqueTooLong: line('CLIENT_ERROR opaque token too long'),
  noMemoryItem: line('SERVER_ERROR Out of memory allocating new item'),
} as const
