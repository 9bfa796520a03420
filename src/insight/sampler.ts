// The sampler of a thread: one request in a hundred, or the share that -o hotkeys says, is drawn by chance, and learners take the
// request and its keys. A request that is not sampled costs one decrement, and one look at `isOpen` for each of its keys.
//
// A session counts `left` down for each request. At 0 it opens a sample, serves the request, and closes the sample. Meanwhile
// the code that carries out a command on a key notes the key. The gap to the next sample is drawn anew each time. So no
// pattern in the requests can hide from it.
//
// A thread that serves more requests than some 100,000 a second takes no more samples for it: the gaps become twice as long, and
// twice as long again, and each sample weighs as much more. So a sample stands for weight/rate requests. With a rate of 1 every
// request is sampled.
//
// A learner that asks what a client does in a row needs two requests of that client. So the client of a sample is followed: the
// first request of its next batch is sampled too. Such a sample was not drawn by chance, and has `isChance` false.
import { monotonicMilliseconds } from '../clock.js'
import { type Request } from '../store/request.js'
import { type Store } from '../store/store.js'
import { Command } from './commands.js'

/** What a command does with a key. */
export const enum Use { Read, Store, Arithmetic, Delete, Touch }

/** The gap between samples where there are none. */
const GAP_MAX = 2 ** 30 - 1
/** The time in milliseconds after which a client that sends nothing is no longer followed. */
const FOLLOW_MS = 1000
/** The milliseconds from the beginning of a client's being followed to that of the next one's. */
const FOLLOW_PAUSE_MS = 20
/** The number of samples after which the gaps are set, and the milliseconds that so many should take at least and at most. */
const PACE_SAMPLES = 64
const PACE_MS_MIN = 64
const PACE_MS_MAX = 3 * PACE_MS_MIN
/** `microseconds` of a request whose time depends on its client. */
export const UNTIMED = -1

/** A sampled request. A thread has one Sample, so a learner copies what it needs. */
export class Sample {
  command: Command = Command.Other
  /** The number of the client's connection, as in `stats conns`. */
  client = 0
  /** The second of store time. */
  now = 0
  /** False if it was sampled because the request before it of the same client was. */
  isChance = true
  /** A sample by chance stands for weight/rate requests. A power of two. */
  weight = 1
  /** True if it is the next one of a client after a sample, the first of its next batch. It is sampled for that, or anyway. */
  isNext = false
  /** If it is: the request before it, the number of its keys, and the milliseconds from its answer to this one. */
  previous: Command = Command.Other
  previousKeys = 0
  previousMs = 0

  // the key at hand

  use: Use = Use.Read
  /** The bytes that hold the key, half-open `[keyStart, keyEnd)`. */
  bytes: Uint8Array
  keyStart = 0
  keyEnd = 0
  hash = 0
  /** True if the item was there. Of Use.Store it says nothing. */
  isHit = false
  /** The bytes of the value that was found or that the client sends; 0 for none. */
  valueBytes = 0
  /** The exptime that the client sent, as it is in the protocol: seconds from now, or a date, or less than 0; 0 for none. */
  exptime = 0

  // known once the request is answered

  /** The number of keys that were noted. */
  keys = 0
  /** From the beginning of the request to its answer in the output; UNTIMED if the value came or went in parts. */
  microseconds = UNTIMED
  /** True if the client sent nothing behind it in the same batch. */
  isLast = false

  constructor(bytes: Uint8Array) { this.bytes = bytes }
}

/** A receiver of samples. It takes a short time, and begins no operation of the store. */
export interface Learner {
  /** Takes a key of a sampled request, which has been carried out on it or, if the client sends a value, is about to be. */
  key?(sample: Sample): void
  /** Takes the request when it is answered. The fields about a key are those of its last one, if it has `keys`. */
  request?(sample: Sample): void
}

export class Sampler {
  /** The requests until the next sample. A session counts it down. */
  left: number
  /** True while the request that is being served is sampled. */
  isOpen = false
  /** The session whose next batch begins with a sample. */
  followed: object | undefined
  readonly sample: Sample
  private readonly keyLearners: Learner[] = []
  private readonly requestLearners: Learner[] = []
  /** The number of different gaps, and the weight of a sample behind one of them. */
  private gaps: number
  private weight = 1
  private paceLeft = PACE_SAMPLES
  private paceSince: number
  private session: object | undefined
  private beganAt = 0
  /** `left` before a client was followed. */
  private kept = 0
  private isFollowing = false
  // the request whose client is followed
  private followedAt = -Infinity
  private followedCommand = Command.Other
  private followedKeys = 0

  /**
   * @param rate the share of the requests that are sampled, 0 to 1
   * @param milliseconds a clock that is exact to a fraction of a microsecond
   * @param random returns numbers from 0 up to, and without, 1
   */
  constructor(readonly rate: number, private readonly store: Store,
    private readonly milliseconds: () => number = monotonicMilliseconds, private readonly random: () => number = Math.random) {
    this.sample = new Sample(store.shards[0]!.items.memory.bytes)
    this.gaps = gapsFor(rate, 1)
    this.paceSince = milliseconds()
    this.left = this.gap()
  }

  /** Passes all samples to a learner from now on. */
  teach(learner: Learner): void {
    if (learner.key !== undefined) this.keyLearners.push(learner)
    if (learner.request !== undefined) this.requestLearners.push(learner)
  }

  /** The number of requests before the next sample. */
  private gap(): number {
    if (this.rate === 0) return GAP_MAX
    this.sample.weight = this.weight
    // as probable as each other: all gaps up to about twice the mean. A logarithm, as for a coin, takes longer
    return Math.min(Math.floor(this.random() * this.gaps), GAP_MAX) | 0
  }

  // For sessions

  /** Begins the sample of a request, whose `left` has come to its end. */
  open(command: Command, session: object, client: number): void {
    const { sample } = this
    if (this.rate === 0) {
      this.left = GAP_MAX
      return
    }
    // the client that is followed may have sent no request
    if (this.isFollowing && session !== this.session) this.isFollowing = false
    const isChance = !this.isFollowing || this.kept <= 0
    this.session = session
    this.isOpen = true
    this.store.exptime = 0
    sample.command = command
    sample.client = client
    sample.now = this.store.context.now
    sample.isChance = isChance
    sample.isNext = this.isFollowing
    sample.keys = 0
    this.beganAt = this.milliseconds()
    if (!this.isFollowing) return
    sample.previous = this.followedCommand
    sample.previousKeys = this.followedKeys
    sample.previousMs = this.beganAt - this.followedAt
  }

  /**
   * Ends the sample when the request is answered.
   * @param isTimed false if the client still has to send or take some of it
   * @param isLast true if the client sent nothing behind it in the same batch
   */
  close(isTimed: boolean, isLast: boolean): void {
    if (!this.isOpen) return
    const { sample } = this
    const now = this.milliseconds()
    this.isOpen = false
    sample.isLast = isLast
    sample.microseconds = isTimed ? Math.max(now - this.beganAt, 0) * 1000 : UNTIMED
    for (const learner of this.requestLearners) learner.request!(sample)
    if (sample.isChance && --this.paceLeft === 0) this.setPace(now)
    this.left = sample.isChance ? this.gap() : this.kept
    // of a client that sends requests without waiting for answers, none follows another
    if (!this.isFollowing && isLast) this.considerFollowing(now)
    this.isFollowing = false
  }

  /** Makes the gaps longer if samples come too fast, or shorter if they come more slowly than they have to. */
  private setPace(now: number): void {
    const took = now - this.paceSince
    this.paceLeft = PACE_SAMPLES
    this.paceSince = now
    if (this.rate === 1) return
    if (took < PACE_MS_MIN) this.weight *= 2
    else if (took > PACE_MS_MAX && this.weight > 1) this.weight /= 2
    this.gaps = gapsFor(this.rate, this.weight)
  }

  /** Ends the sample of a request whose rest has not come yet. It, or another one, is sampled instead. */
  drop(): void {
    if (!this.isOpen) return
    this.isOpen = this.isFollowing = false
    this.left = this.sample.isChance ? 0 : this.kept
  }

  private considerFollowing(now: number): void {
    const pauseMs = this.rate === 1 ? 0 : FOLLOW_PAUSE_MS
    if (now - this.followedAt < (this.followed === undefined ? pauseMs : FOLLOW_MS)) return
    this.followed = this.session
    this.followedAt = now
    this.followedCommand = this.sample.command
    this.followedKeys = this.sample.keys
  }

  /** Has the next request sampled, which is that of `followed`. */
  follow(): void {
    this.session = this.followed
    this.followed = undefined
    this.kept = this.left
    this.left = 0
    this.isFollowing = true
  }

  // For the code that carries out commands, while `isOpen`

  /** Notes a key of the request. @param valueBytes of the value that was found or that the client sends */
  note({ bytes, keyStart, keyEnd, hash }: Request, use: Use, isHit: boolean, valueBytes: number): void {
    const { sample } = this
    sample.use = use
    sample.bytes = bytes
    sample.keyStart = keyStart
    sample.keyEnd = keyEnd
    sample.hash = hash
    sample.isHit = isHit
    sample.valueBytes = valueBytes
    sample.exptime = this.store.exptime
    sample.keys++
    for (const learner of this.keyLearners) learner.key!(sample)
  }
}

/** The number of different gaps, from 0 on, so that one in so many requests is sampled. */
function gapsFor(rate: number, weight: number): number { return 2 * weight / rate - 1 }
