// `stats advice`: what clients do that costs them or the server more than it need, with the figures that say so. Each advice is a
// row of ADVICE, and appears only if it is well founded: enough was seen, and it is common enough.
import { ClassCounter, Counter, type Counters } from '../stats/counters.js'
import { encodeKey } from '../memory/uri.js'
import { type Row } from '../stats/report.js'
import { type Insight } from './insight.js'
import { Habit, HERD_SECONDS, LARGE_SHARE, LONG_KEY_BYTES, PAUSE_MS, TTL_MAX, type Habits } from './habits.js'

/** What an advice is judged by. */
interface Facts {
  readonly insight: Insight
  readonly habits: Habits
  readonly counters: Counters
  /** The connections that are open. */
  readonly connections: number
}

/** An advice that is given: a sentence with its figures, and the figures by name. */
interface Given {
  readonly text: string
  readonly figures: readonly Row[]
}

interface AdviceRow {
  readonly name: string
  readonly judge: (facts: Facts) => Given | undefined
}

/** The samples that a share is computed from, at least. */
const SAMPLES_MIN = 50
/** The samples that show something which should hardly happen, at least, and their share. */
const RARE_MIN = 3
const RARE_SHARE = 0.01
/** What is a habit if it is at least half of what clients do. */
const HABIT_SHARE = 0.5
/** The requests of a connection that is worth its while. */
const REQUESTS_MIN = 3
const CONNECTIONS_MIN = 100
const ITEMS_MIN = 1000

const ADVICE: readonly AdviceRow[] = [
  { name: 'single_gets', judge: ({ habits }) => {
    const [gets, single] = [habits.sum(Habit.GetsFollowed), habits.sum(Habit.SingleGets)]
    return gets < SAMPLES_MIN || single < HABIT_SHARE * gets ? undefined : {
      text: `After ${percent(single, gets)} of the gets of one key the same client sent another one within ${PAUSE_MS} ms of ` +
        'the answer: one get with all the keys saves waiting for each answer.',
      figures: [['gets', gets], ['followed', single], ['share', share(single, gets)]],
    }
  } },
  { name: 'connection_per_request', judge: ({ habits, counters, insight: { sampler: { rate } }, connections }) => {
    const seen = habits.sum(Habit.ByChance)
    const requests = Math.round(seen / rate)
    // a probe by HTTP has a connection for each request, and should
    const ended = counters.sum(Counter.TotalConnections) - counters.sum(Counter.HttpConnections) - connections
    return seen < SAMPLES_MIN || ended < CONNECTIONS_MIN || requests > REQUESTS_MIN * ended ? undefined : {
      text: `Clients made ${ended} connections and closed them again, for about ${requests} requests in all: a connection that ` +
        'is kept and used again saves the time of opening it.',
      figures: [['connections', ended], ['requests', requests]],
    }
  } },
  { name: 'ttl_milliseconds', judge: ({ habits }) => {
    const [ttls, wrong] = [habits.sum(Habit.Ttls), habits.sum(Habit.MillisecondTtls)]
    const example = habits.largest(Habit.MillisecondTtl)
    return wrong < RARE_MIN || wrong < RARE_SHARE * ttls ? undefined : {
      text: `${percent(wrong, ttls)} of the ttls look like milliseconds, such as ${example}: memcached counts seconds, and ` +
        `takes more than ${TTL_MAX} of them, 30 days, as a date, so that the item has expired at once.`,
      figures: [['ttls', ttls], ['milliseconds', wrong], ['share', share(wrong, ttls)], ['example', example]],
    }
  } },
  { name: 'long_keys', judge: ({ habits }) => {
    const [keys, long] = [habits.sum(Habit.Keys), habits.sum(Habit.LongKeys)]
    const longest = habits.largest(Habit.LongestKey)
    return long < RARE_MIN || long < RARE_SHARE * keys ? undefined : {
      text: `${percent(long, keys)} of the keys have ${LONG_KEY_BYTES} bytes or more, and the longest seen has ${longest}: ` +
        'keys above 250 bytes are refused, and each byte of a key takes memory; a hash of the long part is shorter.',
      figures: [['keys', keys], ['long', long], ['share', share(long, keys)], ['longest', longest]],
    }
  } },
  { name: 'large_values', judge: ({ habits, counters, insight: { options: { itemSizeMax } } }) => {
    const [values, large] = [habits.sum(Habit.Values), habits.sum(Habit.LargeValues)]
    const refused = counters.sum(Counter.StoreTooLarge)
    const largest = habits.largest(Habit.LargestValue)
    return refused === 0 && (large < RARE_MIN || large < RARE_SHARE * values) ? undefined : {
      text: `${refused} values were refused, as their items are larger than ${itemSizeMax} bytes, and ` +
        `${percent(large, values)} have ${LARGE_SHARE * 100} % of that or more: compress or split them, or raise -I.`,
      figures: [['values', values], ['large', large], ['share', share(large, values)], ['largest', largest],
        ['limit', itemSizeMax], ['refused', refused]],
    }
  } },
  { name: 'unread_sets', judge: ({ counters }) => {
    const stored = counters.sum(Counter.TotalItems)
    const unread = counters.sumClasses(ClassCounter.EvictedUnfetched) + counters.sumClasses(ClassCounter.ExpiredUnfetched)
    return unread < ITEMS_MIN || unread < HABIT_SHARE * stored ? undefined : {
      text: `${unread} of ${stored} stored items were evicted or expired before any client read them: what is not read again ` +
        'need not be stored, or stays too short a time.',
      figures: [['stored', stored], ['unread', unread], ['share', share(unread, stored)]],
    }
  } },
  { name: 'thundering_herd', judge: ({ habits, insight }) => {
    const [herds, misses] = [habits.sum(Habit.Herds), habits.largest(Habit.HerdMisses)]
    const { herdKey } = habits
    const key: Row[] = insight.options.dumpEnabled ? [['key', encodeKey(herdKey, 0, herdKey.length)]] : []
    return herds === 0 ? undefined : {
      text: `Clients missed one key about ${misses} times within ${HERD_SECONDS} seconds before one of them stored it: have ` +
        'one client make the value while the others wait or use an old one, as mg with N and R does.',
      figures: [['herds', herds], ['misses', misses], ...key],
    }
  } },
]

/** The rows of `stats advice`. @param connections those that are open */
export function* adviceReport(insight: Insight, connections: number): Iterable<Row> {
  const { habits, store: { counters } } = insight
  const facts = { insight, habits, counters, connections }
  yield ['checked', habits.sum(Habit.Requests)]
  let number = 0
  for (const { name, judge } of ADVICE) {
    const given = judge(facts)
    if (given === undefined) continue
    number++
    yield [`${number}:advice`, name]
    yield [`${number}:text`, given.text]
    for (const [figure, value] of given.figures) yield [`${number}:${figure}`, value]
  }
}

/** A share of 0 to 1, with six digits at most. */
function share(part: number, whole: number): number { return whole === 0 ? 0 : Math.round(part / whole * 1e6) / 1e6 }

function percent(part: number, whole: number): string {
  const hundredths = share(part, whole) * 100
  return `${hundredths < 10 ? Number(hundredths.toFixed(1)) : Math.round(hundredths)} %`
}
