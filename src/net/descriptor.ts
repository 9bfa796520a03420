// A file descriptor by which several threads listen. Each of them has a handle for the same number, so each of them closes
// that number when it stops; and once the first has, the kernel gives the number to the next file that anybody in the
// process opens, unless a lower one is free. A socket that is to be shared therefore gets a high number, far above those
// that are in use, and nobody comes by it in the moment until the last thread has closed it.
//
// Should the numbers below it all be taken by then, whoever stops looks whether the number still is what it was. If it is
// somebody else's it must stay open: then the handle is left alone, and with it its thread, whose end would close it too.
import { closeSync, fstatSync, openSync } from 'node:fs'
import { devNull } from 'node:os'

/** How many numbers are free below that of a shared socket when it is opened. */
const SPARE_NUMBERS = 512
/** What is kept free where there are not so many. */
const NUMBERS_MIN = 32

/** Does what opens a socket, and has it get a high number. */
export async function withHighNumber<Result>(open: () => Promise<Result>): Promise<Result> {
  const lower: number[] = []
  try {
    takeNumbers(lower)
    return await open()
  } finally {
    for (const number of lower) closeSync(number)
  }
}

function takeNumbers(taken: number[]): void {
  try {
    while (taken.length < SPARE_NUMBERS) taken.push(openSync(devNull, 'r'))
  } catch {
    // the process may open no more files
    for (const number of taken.splice(-NUMBERS_MIN)) closeSync(number)
  }
}

export class SharedDescriptor {
  private readonly file: string | undefined

  /** @param number as it was shared, open */
  constructor(private readonly number: number) { this.file = fileOf(number) }

  /** Whether closing the number closes nobody else's file. */
  get mayBeClosed(): boolean {
    const file = fileOf(this.number)
    return file === undefined || file === this.file
  }
}

/** What the kernel calls the file behind a descriptor; undefined if there is none. */
function fileOf(number: number): string | undefined {
  try {
    const { dev, ino } = fstatSync(number)
    return `${dev} ${ino}`
  } catch {
    return undefined
  }
}
