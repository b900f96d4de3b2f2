import fc from 'fast-check'
import { torchGlobals } from '../../src/formats/torch-globals.js'
import { global, int, makePickle, type PicklePart, text, tuple } from '../formats/make-pickle.js'

/** Opcodes that take nothing from the pickle. */
const bare = [...'N\x88\x89(012]la)te\x85\x86\x87\x8f\x90\x91}dsu\x94\x93RbQo\x81\x92']

const memo = fc
  .tuple(fc.constantFrom('q', 'h'), fc.nat(5))
  .map(([opcode, index]): PicklePart => opcode + String.fromCharCode(index))

const allowedName = fc.constantFrom(...torchGlobals.keys()).map((name): PicklePart => {
  const [module, attribute] = name.split(' ')
  return global(module, attribute)
})

const sizes = fc
  .array(fc.oneof(fc.nat(4), fc.integer()), { maxLength: 4 })
  .map((numbers) => tuple(...numbers.map((n) => int(n | 0))))

const persistentId = fc
  .tuple(allowedName, fc.constantFrom('0', '1', 'a'), fc.oneof(fc.nat(20), fc.integer()))
  .map(([type, key, count]) =>
    Buffer.concat([
      tuple(text('storage'), type as Uint8Array, text(key), text('cpu'), int(count | 0)),
      Buffer.from('Q'),
    ]),
  )

const tensor = fc
  .tuple(persistentId, fc.nat(3), sizes, sizes)
  .map(([storage, offset, shape, strides]) =>
    Buffer.concat([
      Buffer.from(global('torch._utils', '_rebuild_tensor_v2')),
      tuple(storage, int(offset), shape, strides, '\x89', '}'),
      Buffer.from('R'),
    ]),
  )

const part: fc.Arbitrary<PicklePart> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<PicklePart>(...bare) },
  memo,
  allowedName,
  sizes,
  persistentId,
  tensor,
  fc.integer().map((n): PicklePart => int(n | 0)),
  fc.string({ maxLength: 8 }).map((value): PicklePart => text(value)),
  fc.uint8Array({ maxLength: 3 }),
)

/** Pickles of opcodes in any order, some of which make sense; what is left on the stack goes into a tuple. */
export const randomPickle: fc.Arbitrary<Buffer> = fc
  .tuple(fc.array(part, { maxLength: 25 }), fc.boolean())
  .map(([parts, wrapped]) => (wrapped ? makePickle('(', ...parts, 't') : makePickle(...parts)))
