import { MonosemError } from '../errors/monosem-error.js'
import { createMachine, damaged, type PickleValue, pop, type UnpickleOptions } from './pickle-machine.js'
import { step } from './pickle-opcodes.js'

export type {
  PickledObject,
  PickleGlobal,
  PickleKey,
  PickleValue,
  UnpickleOptions,
} from './pickle-machine.js'

/*
 * A pickle is a program for a small stack machine, and in Python it may call anything. This reader follows only the opcodes that make plain
 * values, and lets a pickle mention only the names on an allow-list, each with a function of ours behind it. Nothing else is looked up.
 */

/** More than any checkpoint needs: the numbers of tensors are not in the pickle. */
const maxBytes = 1 << 26

const maxDepth = 100
const maxValues = 1 << 24

/**
 * Reads a pickle without running it. The value is a tree of limited size and depth: what is shared in it is counted as often as it is
 * reached, and nothing contains itself.
 * @param start where it begins in `bytes`; `end` is the byte after it
 * @throws MonosemError format (it mentions a name that is not allowed, or is too large), corrupt
 */
export function unpickle(
  bytes: Uint8Array,
  options: UnpickleOptions,
  start = 0,
): { value: PickleValue; end: number } {
  if (bytes.length - start > maxBytes) throw tooLarge(options.what, `has more than ${maxBytes} bytes`)
  const machine = createMachine(bytes, start, options)
  while (!machine.stopped) step(machine)
  const value = pop(machine)
  if (machine.stack.length > 0) throw damaged(machine, 'it leaves values on the stack')
  checkTree(value, options.what)
  return { value, end: machine.position }
}

function checkTree(root: PickleValue, what: string): void {
  let values = 0
  const visit = (value: PickleValue, depth: number): void => {
    if (++values > maxValues) throw tooLarge(what, `unfolds to more than ${maxValues} values`)
    if (depth > maxDepth) throw tooLarge(what, `is nested more than ${maxDepth} deep`)
    if (Array.isArray(value)) for (const item of value) visit(item, depth + 1)
    else if (value instanceof Map) for (const item of value.values()) visit(item, depth + 1)
  }
  visit(root, 0)
}

const tooLarge = (what: string, why: string): MonosemError =>
  new MonosemError('format', `${what}: the pickle ${why}`, {
    hint: 'save the tensors alone, best with safetensors.torch.save_file',
  })
