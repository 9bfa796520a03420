// The profiles of a server: memcached itself, and services that speak its protocol and refuse a part of it. All facts about a
// service are in its row. Commands are refused by their traits, which are in the rows of the commands.
import { type ProfileName } from './values.js'

/** What a command does to the server, or shows of it, beside the items that clients store. */
export type Trait = 'configures' | 'reveals'

export interface Profile {
  /** Commands with these traits are answered as unknown ones: ERROR. */
  readonly refused: readonly Trait[]
  /** True: `flush_all` may have a delay. */
  readonly delaysFlushes: boolean
  /** The most bytes of a get or gets line without its line end; 0 for any number. */
  readonly getLineBytesMax: number
  /** True: clients come by TLS and speak the text protocol; there is neither UDP nor a Unix socket. */
  readonly isTlsTextOnly: boolean
}

export const PROFILES: Readonly<Record<ProfileName, Profile>> = {
  memcached: { refused: [], delaysFlushes: true, getLineBytesMax: 0, isTlsTextOnly: false },
  // https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/SupportedCommandsMem.html
  'elasticache-serverless': {
    refused: ['configures', 'reveals'], delaysFlushes: false, getLineBytesMax: 16 * 1024, isTlsTextOnly: true,
  },
}

/** True if a profile refuses what has this trait. */
export function isRefused(profile: Profile, trait: Trait | undefined): boolean {
  return trait !== undefined && profile.refused.includes(trait)
}
