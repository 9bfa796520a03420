// `memslab/jest/teardown` for `import`, as src/index.mts says.
import { teardown } from './teardown.js'

export default teardown
