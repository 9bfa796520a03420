// `memslab/jest` for `import`, as src/index.mts says.
import { setup } from './jest.js'

export { memcached } from './jest.js'
export default setup
