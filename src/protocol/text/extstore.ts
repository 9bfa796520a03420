// `extstore`: the settings of external storage. There is none here, so what it sets has no effect; it is answered as memcached
// answers without external storage, for scripts that send it to every server, and `stats settings` shows it.
import { Size } from '../../memory/layout.js'
import { External, EXTERNAL_NAMES } from '../../server/settings.js'
import { type Session } from '../session.js'
import { decimalOf, isCutFrom, uint32Of } from './parse.js'
import { TEXT } from './reply.js'
import { type Text } from './text.js'

/** `extstore <setting> <number>` */
export function extstore(text: Text, session: Session): void {
  text.answer(session, isSet(text) ? TEXT.ok : TEXT.error)
}

function isSet({ parser, host }: Text): boolean {
  // memcached knows this one, and has no use for it any more
  if (parser.tokenCount > 3 && isCutFrom('free_memchunks', parser, 1)) {
    const slabClass = uint32Of(parser, 2)
    return slabClass >= 0 && slabClass < Size.Classes && uint32Of(parser, 3) >= 0
  }
  const setting: External = EXTERNAL_NAMES.findIndex(name => isCutFrom(name, parser, 1))
  if (setting < 0) return false
  const value = setting === External.MaxFrag ? decimalOf(parser, 2) : uint32Of(parser, 2)
  if (Number.isNaN(value) || setting !== External.MaxFrag && value < 0) return false
  host.setExternal(setting, value)
  return true
}
