// `memslab/vitest` for `import`, as src/index.mts says.
import { setup } from './vitest.js'

export { memcached, type VitestProject } from './vitest.js'
export default setup
