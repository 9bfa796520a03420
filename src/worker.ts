// The entry point of the workers of the `memslab` command.
import { load } from './cli.js'

load('server/worker.js')
