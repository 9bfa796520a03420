// The entry point of the workers of the `memslab` command.
import { loadWorker } from './cli.js'

loadWorker()
