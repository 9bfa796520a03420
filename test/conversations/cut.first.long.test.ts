// The first half of the short conversations again, with one write cut in two at every place there is, on a bare session.

import t from 'tap'

import { cutEverywhere, isFirst } from './cut.js'

await cutEverywhere(t, isFirst)
