// The fields of the shared memory, word by word. Everything is addressed in words of 4 bytes from the start of an arena. An
// arena is smaller than 2 GiB, so a word index or byte index is always a 32-bit integer. The regions of an arena, in which the
// words below lie, have their rows in store/regions.ts, and a map in README.md.
//
//   item     word 0     1     2      3       4          5           6      7    8     (9)
//            next  prev  chain  usedAt  expiresAt  valueBytes  state  cas  cas   flags   key bytes, value bytes
//            The flags are there only when they are not 0. A value of Size.DirectMin bytes or more has two spare bytes behind
//            it, so that its line end can be read along with it.
//
//   state    bit 0-8   9-16      17-21       22-23    24      25       26      27        28     29         30     31
//            refs      keyBytes  generation  segment  linked  fetched  active  hasFlags  large  binaryKey  stale  won
//
//   The highest bit of prev is set if the item came to COLD from WARM: see lru.ts. It is not part of the index.
//
//   The generation's meaning depends on the turn of the item's page: see generations.ts.
//
//   A large item (one that does not fit the largest chunk) keeps its header, flags and key in one chunk. The ids of its pieces
//   follow there, from the next word on. A piece is a chunk with the same header, of which it uses
//            owner (word 0) and state (State.Piece),
//   and value bytes follow the header. If the chunk has no room for all ids, they are stored in further pieces, and the ids of
//   those in the chunk or, again, in further pieces. The pieces are numbered: first those with the value, then those with the
//   ids of these, and so on.
//
// A free chunk has state 0, and its neighbours in the free list in `next` and `prev`. If it is in no list because its page is
// leaving its class, `next` is Free.Retired. From the moment it leaves the free list, a reserved chunk has one reference and is
// not linked.
//
// The lock under which a word is read and written:
//   class           the lock of the class
//   shard           the lock of the pages. EmptyPages, EmptyChanges and MoveAsked are atomic instead, Emptying is a hint, and the
//                   words from Moving to BusyStatus are written only by the thread that moves pages. IsDumping needs no lock.
//   page            the lock of its class, and that of the pages too when the page changes its owner. Its turn is written under
//                   the lock of the class. The words that marks.ts keeps are atomic.
//   store           the lock of the store. The cas number is a Counter64 and needs none.
//   automove        none: a command sets one number at a time
//   crawler         none: the thread whose number is in Runner owns it, and the words of the classes
//   linked item     chain, usedAt, expiresAt, cas, flags, key and value: the stripe of its key. next and prev: the class of its
//                   lists. valueBytes: both, as the lists count bytes. The bits of state need the class (segment) or the stripe
//                   (most), and active and fetched are cleared under either, so state is changed atomically.
// A thread may read a word without the lock where an outdated value does no harm: for statistics, or the age of a class.

export const enum ItemWord { Next, Prev, Chain, UsedAt, ExpiresAt, ValueBytes, State, CasLow, CasHigh, Header }

export const enum Prev { WasWarm = 1 << 31, Mask = 0x7fffffff }

export const enum PieceWord { Owner = ItemWord.Next }

export const enum State {
  Refs = 0x1ff,
  KeyShift = 9,
  KeyMask = 0xff,
  GenerationShift = 17,
  GenerationMask = 0x1f,
  SegmentShift = 22,
  SegmentMask = 3,
  Linked = 1 << 24,
  Fetched = 1 << 25,
  Active = 1 << 26,
  HasFlags = 1 << 27,
  Large = 1 << 28,
  BinaryKey = 1 << 29,
  Stale = 1 << 30,
  Won = 1 << 31,
  /** The state of a piece of a large item: one reference, no key, and Large, which nothing else without a key has. */
  Piece = Large | 1,
}

export const enum Size {
  Page = 1 << 20,
  PageWords = Page / 4,
  /** A page index is a word index shifted by this. */
  PageShift = 18,
  ItemHeader = ItemWord.Header * 4,
  /** A value is read from the socket straight into its item if at least so many bytes of it are still to come. */
  DirectMin = 8192,
  KeyMax = 250,
  /** Class numbers are 1 to 63, as in memcached. */
  Classes = 64,
}

/** The words of a slab class: its free chunks, then four lists. */
export const enum ClassWord {
  Lock, FreeHead, FreeCount, CarveNext, CarveLeft, PageCount, UsedCount, RequestedBytes,
  /** The age of the last evicted item in seconds. */
  EvictedAge,
  /** The evictions for new items since automove last looked. */
  EvictedRecently,
  /** The value of ShardWord.EmptyChanges when the class last looked for an empty page of another class and found none. */
  EmptySought,
  /** The number of its pages that are leaving it: 0 or 1. */
  LeavingCount,
  /** The time of its ghosts, which advances as it evicts, and the evictions until it advances: see shares.ts. 0 at the start. */
  GhostTime, EvictionsLeft,
  /**
   * The changes to the shares of HOT, and of HOT and WARM together, that the class has learned from its ghosts: in units of
   * 1 / Share.Unit.
   */
  HotLearned, UpperLearned,
  /** In the same units: the part of the evictions of late that were from COLD, and the part of these of items once in WARM. */
  ColdPart, WarmPart,
  /** The second in which the class began to evict as many items as it has; and the seconds that this took it last time, or 0. */
  TurnoverAt, Turnover,
  Lists = 20,
  Stride = Lists + 4 * 4,
}

/** The number that stands for a share of 1. One item of a class is still several units, even if it is one of 20 million. */
export const enum Share { Unit = 1 << 28 }

/** The words of one list: HOT, WARM, COLD and TEMP of a class. */
export const enum ListWord { Head, Tail, Count, Bytes, Stride }

/** The words of a shard, in its arena. */
export const enum ShardWord {
  PageLock, PagesCarved, PagesUsed, BytesUsed, BytesMax,
  /** The highest value that BytesMax has had. */
  BytesPeak,
  EmptyPages,
  /** A counter of changes: advanced when a page becomes empty, and when it stops being empty. */
  EmptyChanges,
  /** The page that was last emptied at once for a class that had nothing to evict. */
  Emptying,
  /** The numbers of pages whose owner is PageOwner.Pool or PageOwner.Withdrawn. */
  PoolPages, WithdrawnPages,
  /** A move that a command asks for, as moves.ts writes it; 0 for none. */
  MoveAsked,
  /** The page that is leaving its class, 0 for none; its next owner; and what last held up a move, a BusyStatus. */
  Moving, MovingTo, BusyStatus,
  /** 1 while a dump is under way: see marks.ts. */
  IsDumping,
  /** The number of buckets of the hash table in use: see Table. */
  Buckets,
  End = 32,
}

/** The owner of a page that has no class: none yet, all classes, or none until the memory limit rises again. */
export const enum PageOwner { None = 0, Pool = -1, Withdrawn = -2 }

/** The reason why a page cannot be emptied yet: a session holds an item, or there is no chunk to move an item to. */
export const enum BusyStatus { None, InUse, NoMemory }

export const enum PageUse {
  /** A bit added to the page's count of chunks in use while it is leaving its class, so that its free chunks are not reserved. */
  Leaving = 1 << 30,
}

export const enum Free {
  /** The `next` of a free chunk of a page that is leaving its class. */
  Retired = -1,
}

/** The words of a 64-bit counter: see counter64.ts. */
export const enum Counter64Word { Low, Crossings, End }

/** The words of a store, in its first arena. */
export const enum StoreWord {
  Lock, Cas, Generation = Cas + Counter64Word.End, FlushAt, SweptGeneration, SweepGeneration, MaxbytesHigh, MaxbytesLow,
  /** The length of the longest chain that look-ups met in this period, and in the one before. */
  LongestChain, LongestChainBefore,
  /** The second in which the store was last flushed as a whole. */
  FlushedAt,
  /** The generation that this flush began; and 1 if a flush of any kind may have left dead items. See generations.ts. */
  Floor, MayHoldDead,
  /** The generation that the last flush of everything began, also when no dead item of it is left; 0 for none. */
  FlushedIn,
  End = 16,
}

/** The words of a store's crawler: what `lru_crawler` sets, and the run under way: its thread plus 1, 0 for none. */
export const enum CrawlerWord { IsOn, SleepUs, Tocrawl, Runner, ClassesLow, ClassesHigh, End = 8 }
