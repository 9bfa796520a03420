import t from 'tap'

import { isFirst, playWithThreads } from './threads.js'

playWithThreads(t, isFirst)
