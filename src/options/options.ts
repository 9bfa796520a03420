// The exports of options/, a leaf that any file may import. Code that worker threads load imports values.ts and settings.ts
// themselves, as each file that is loaded delays the start of a worker.
export { type Address, parseAddress } from './address.js'
export { checkOptions } from './check.js'
export { embeddingProblems } from './embedded.js'
export { helpText, optionTable, versionText } from './help.js'
export { readMemory, type ServerOptions } from './memory.js'
export { type CommandLine, parseArguments } from './parse.js'
export { type OptionRow, optionRows, optionSections, printSize } from './rows.js'
export { completeOptions, defaultOptions, LOOPBACK, type Options, type ProtocolName } from './values.js'
