// What the tests use of memjs, which brings no types of its own.

declare module 'memjs' {
  export interface Expiry { readonly expires?: number }
  export interface Counting extends Expiry { readonly initial?: number }
  export interface Found { readonly value: Buffer | null; readonly flags: Buffer | null }
  export interface Counted { readonly success: boolean; readonly value: number | null }

  export interface ClientOptions {
    readonly username?: string
    readonly password?: string
    /** How often a request is tried again. */
    readonly retries?: number
    /** Seconds. */
    readonly timeout?: number
    /** Seconds between two tries. */
    readonly retry_delay?: number
    readonly logger?: { log(message: string): void }
  }

  export class Client {
    static create(servers: string, options?: ClientOptions): Client
    get(key: string): Promise<Found>
    set(key: string, value: string | Buffer, options: Expiry): Promise<boolean>
    add(key: string, value: string | Buffer, options: Expiry): Promise<boolean>
    replace(key: string, value: string | Buffer, options: Expiry): Promise<boolean>
    append(key: string, value: string | Buffer): Promise<boolean>
    delete(key: string): Promise<boolean>
    increment(key: string, amount: number, options: Counting): Promise<Counted>
    decrement(key: string, amount: number, options: Counting): Promise<Counted>
    touch(key: string, expires: number): Promise<boolean>
    flush(): Promise<Record<string, boolean>>
    stats(callback: (error: Error | null, server: string, stats: Record<string, string> | null) => void): void
    quit(): void
  }
}
