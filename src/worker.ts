// The entry point of the workers of the `memslab` command: server/start.ts starts this file if it runs in the bundle, see cli.ts,
// and server/worker.ts if not.
import { loadWorker } from './cli.js'

loadWorker()
