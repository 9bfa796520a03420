// `memslab/jest/teardown` for `import`, as src/index.mts says.
export { globalTeardown, globalTeardown as default } from './teardown.js'
