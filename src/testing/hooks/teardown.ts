// `memslab/jest/teardown`, for `globalTeardown` of jest: stops the server of `memslab/jest`.
import { stopShared } from './shared.js'

export { stopShared as globalTeardown }
export default stopShared
