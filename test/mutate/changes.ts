// What can be changed in a compiled file, one thing at a time: an operator for its neighbour, a number, a condition that then
// always or never holds, a statement that is left out. What an assert says and what goes into an error is left alone: the
// first holds whatever happens, the second is only read by people.

import ts from 'typescript'

/** A stretch of a file and what takes its place. Two changes of a file with the same place, was and is are the same. */
export interface Change {
  /** From the folder of the compiled files on, such as `store/space.js`. */
  readonly file: string
  /** The class and function that it stands in. */
  readonly place: string
  readonly start: number
  readonly end: number
  readonly text: string
  /** From 1. */
  readonly line: number
  /** The lines that it touches, on one line, before and after. */
  readonly was: string
  readonly is: string
}

const OPERATORS: Readonly<Record<string, string>> = {
  '<': '<=', '<=': '<', '>': '>=', '>=': '>', '===': '!==', '!==': '===', '&&': '||', '||': '&&',
  '+': '-', '-': '+', '*': '+', '/': '*', '%': '*', '&': '|', '|': '&', '^': '|', '<<': '>>', '>>': '<<', '>>>': '<<',
  '+=': '-=', '-=': '+=', '|=': '&=', '&=': '|=',
}
/** Names of functions whose arguments only tell what must be so, or what went wrong. */
const SAYINGS = /^(assert|Error|\w+Error|warn)$/
/** Statements with which the compiler makes a CommonJS module of a file. */
const GLUE = /^(exports\.\w+ = )+(void 0|[A-Za-z_]\w*);$|^Object\.defineProperty\(exports, /

/** All changes of one file, in its order. */
export function changesOf(file: string, source: string): Change[] {
  const tree = ts.createSourceFile(file, source, ts.ScriptTarget.ES2022, true, ts.ScriptKind.JS)
  const changes: Change[] = []
  const visit = (node: ts.Node, place: string): void => {
    if (isLeftAlone(node)) return
    const inside = nameOf(node) === undefined ? place : `${place}.${nameOf(node)}`.replace(/^\./, '')
    for (const [start, end, text] of edits(node)) changes.push({ ...told(source, start, end, text), file, place: inside })
    ts.forEachChild(node, child => visit(child, inside))
  }
  visit(tree, '')
  return changes
}

function isLeftAlone(node: ts.Node): boolean {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return true
  if (ts.isExpressionStatement(node)) return GLUE.test(node.getText())
  return (ts.isCallExpression(node) || ts.isNewExpression(node)) && SAYINGS.test(calledName(node))
}

/** The last part of the name of what is called: `assert` of `assert(…)` and of `(0, errors_js_1.assert)(…)`. */
function calledName({ expression }: ts.CallExpression | ts.NewExpression): string {
  return /(\w*)\)?$/.exec(expression.getText())![1]!
}

/** True of `(0, name)`, with which the compiler calls a function of another module. The 0 says nothing. */
function isModuleCall(node: ts.Node): boolean {
  return ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.CommaToken && ts.isNumericLiteral(node.left)
}

function nameOf(node: ts.Node): string | undefined {
  if (ts.isConstructorDeclaration(node)) return 'constructor'
  const isFunction = ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node) || ts.isAccessor(node)
  return isFunction || ts.isClassDeclaration(node) ? node.name?.getText() : undefined
}

type Edit = readonly [start: number, end: number, text: string]

function edits(node: ts.Node): Edit[] {
  const whole = (text: string): Edit => [node.getStart(), node.end, text]
  if (ts.isBinaryExpression(node)) return operatorEdits(node)
  if (ts.isNumericLiteral(node)) return isModuleCall(node.parent) ? [] : [whole(otherNumber(node))]
  if (node.kind === ts.SyntaxKind.TrueKeyword) return [whole('false')]
  if (node.kind === ts.SyntaxKind.FalseKeyword) return [whole('true')]
  if (ts.isPrefixUnaryExpression(node)) return prefixEdits(node)
  if (ts.isPostfixUnaryExpression(node)) return [postfixEdit(node)]
  if (ts.isIfStatement(node)) return conditionEdits(node.expression)
  if (ts.isConditionalExpression(node)) return conditionEdits(node.condition)
  if (ts.isWhileStatement(node)) return [[node.expression.getStart(), node.expression.end, 'false']]
  return ts.isExpressionStatement(node) && isDeed(node.expression) ? [whole(';')] : []
}

function operatorEdits({ left, operatorToken, right }: ts.BinaryExpression): Edit[] {
  const other = OPERATORS[operatorToken.getText()]
  const joinsText = operatorToken.kind === ts.SyntaxKind.PlusToken && (isText(left) || isText(right))
  return other === undefined || joinsText ? [] : [[operatorToken.getStart(), operatorToken.end, other]]
}

function isText(node: ts.Node): boolean {
  return ts.isStringLiteral(node) || ts.isTemplateExpression(node) || ts.isNoSubstitutionTemplateLiteral(node)
}

/** A bound of a whole file is taken away rather than moved by one: that would seldom be a fault. */
function otherNumber(node: ts.NumericLiteral): string {
  const value = Number(node.text)
  const isBound = isOfFile(node.parent, node.getSourceFile())
  if (value === 0) return '1'
  return value === 1 || isBound ? '0' : String(value + 1)
}

/** True of a constant of the whole file, be it `const X = …` or `exports.X = …`. */
function isOfFile(node: ts.Node, file: ts.SourceFile): boolean {
  return ts.isVariableDeclaration(node) ? node.parent.parent.parent === file : isExported(node) && node.parent.parent === file
}

/** True of `exports.X = …`. */
function isExported(node: ts.Node): boolean {
  return ts.isBinaryExpression(node) && ts.isPropertyAccessExpression(node.left) && node.left.expression.getText() === 'exports'
}

function prefixEdits(node: ts.PrefixUnaryExpression): Edit[] {
  const operator: Edit = [node.getStart(), node.operand.getStart(), '']
  switch (node.operator) {
    case ts.SyntaxKind.PlusPlusToken: return [[operator[0], operator[1], '--']]
    case ts.SyntaxKind.MinusMinusToken: return [[operator[0], operator[1], '++']]
    case ts.SyntaxKind.ExclamationToken:
    case ts.SyntaxKind.MinusToken: return [operator]
    default: return []
  }
}

function postfixEdit({ operand, operator, end }: ts.PostfixUnaryExpression): Edit {
  return [operand.end, end, operator === ts.SyntaxKind.PlusPlusToken ? '--' : '++']
}

function conditionEdits(condition: ts.Expression): Edit[] {
  return ['true', 'false'].map(text => [condition.getStart(), condition.end, text])
}

/** Whether a statement is a call or an assignment, which can be left out. */
function isDeed(node: ts.Expression): boolean {
  if (isLeftAlone(node) || isExported(node)) return false
  if (ts.isCallExpression(node)) return node.expression.kind !== ts.SyntaxKind.SuperKeyword
  return ts.isBinaryExpression(node) && /^[^=!<>]*=$/.test(node.operatorToken.getText())
}

function told(source: string, start: number, end: number, text: string): Omit<Change, 'file' | 'place'> {
  const from = source.lastIndexOf('\n', start - 1) + 1
  const newline = source.indexOf('\n', end)
  const to = newline < 0 ? source.length : newline
  const onOneLine = (lines: string): string => lines.replaceAll(/\s+/g, ' ').trim()
  return {
    start, end, text, line: source.slice(0, start).split('\n').length,
    was: onOneLine(source.slice(from, to)), is: onOneLine(source.slice(from, start) + text + source.slice(end, to)),
  }
}
