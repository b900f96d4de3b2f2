import { MonosemError } from '../errors/monosem-error.js'
import * as check from './check.js'
import * as checkSae from './check-sae.js'
import * as checkSynthetic from './check-synthetic.js'
import * as checkLayer from './check-transformer.js'
import type {
  DType,
  Kernels,
  SaeKernels,
  SaePacked,
  SaePrecision,
  SaeRanks,
  SaeStepOptions,
  SaeTraining,
  SampleRange,
  SyntheticGenerator,
  SyntheticKernels,
  SyntheticLaw,
  Tensor,
} from './kernels.js'
import * as activation from './reference-activation.js'
import * as attention from './reference-attention.js'
import * as elementwise from './reference-elementwise.js'
import * as norm from './reference-norm.js'
import * as rotary from './reference-rotary.js'
import * as sae from './reference-sae.js'
import * as normalize from './reference-sae-normalize.js'
import * as statistics from './reference-sae-statistics.js'
import { saeStep } from './reference-sae-step.js'
import * as synthetic from './reference-synthetic.js'
import {
  allocate,
  expectLive,
  live,
  livePacked,
  ReferencePacked,
  ReferenceTensor,
} from './reference-tensor.js'
import * as transformer from './reference-transformer.js'

/** Errors found in the data (an id out of range): they belong to the queue, so a later wait reports the first of them. */
interface Queue {
  failure: unknown
}

/**
 * The kernels in plain TypeScript: sums in float64, results in float32, each operation carried out during the call.
 * They are the oracle that other implementations are tested against, and the fallback where no compiler is. Nothing else runs in the
 * meantime: progress, timers and Ctrl-C get their turn only where a result is waited for.
 */
export function createReferenceKernels(): Kernels {
  const queue: Queue = { failure: undefined }
  return {
    name: 'reference',
    description: 'reference kernels in plain TypeScript, 1 thread (slow)',
    threads: 1,
    measurePeak: async () => 0,
    ...memory(queue),
    ...elementwiseOperations(queue),
    ...transformerOperations(queue),
    ...saeOperations(queue),
    ...syntheticOperations(queue),
  }
}

/** An operation that returns nothing: arguments are checked at once, errors in the data wait for `finish`. */
function enqueued<A extends unknown[]>(
  queue: Queue,
  check: (...args: A) => void,
  body: (...args: A) => void,
) {
  return (...args: A): void => {
    check(...args)
    expectLive(args)
    try {
      body(...args)
    } catch (error) {
      queue.failure ??= error
    }
  }
}

/** An operation whose result is waited for. */
function awaited<A extends unknown[], R>(queue: Queue, check: (...args: A) => void, body: (...args: A) => R) {
  return (...args: A): Promise<R> => {
    check(...args)
    expectLive(args)
    return settle(queue, body(...args))
  }
}

/** Resolves in a later turn of the event loop, so that timers and signals get their turn; rejects if the queue failed. */
function settle<R>(queue: Queue, result: R): Promise<R> {
  const { failure } = queue
  queue.failure = undefined
  return new Promise((resolve, reject) => {
    setImmediate(() => (failure === undefined ? resolve(result) : reject(failure)))
  })
}

function memory(queue: Queue) {
  const write = (t: Tensor, data: Float32Array | Int32Array | Uint16Array): void => {
    check.checkWrite(t, data)
    elementwise.copy(t, new ReferenceTensor(t.shape, check.dtypeOf(data), { data }))
  }
  return {
    zeros(shape: readonly number[], dtype: DType = 'f32'): Tensor {
      check.checkZeros(shape, dtype)
      return allocate(shape, dtype)
    },
    tensor(data: Float32Array | Int32Array, shape: readonly number[]): Tensor {
      check.checkTensor(data, shape)
      return new ReferenceTensor([...shape], check.dtypeOf(data), {
        data: data.slice(),
      })
    },
    rows(t: Tensor, start: number, count: number): Tensor {
      check.checkRows(t, start, count)
      const { shape, dtype, storage, offset } = live(t)
      const [, ...row] = shape
      return new ReferenceTensor([count, ...row], dtype, storage, offset + start * check.elementCount(row))
    },
    reshape(t: Tensor, shape: readonly number[]): Tensor {
      check.checkReshape(t, shape)
      const { dtype, storage, offset } = live(t)
      return new ReferenceTensor([...shape], dtype, storage, offset)
    },
    write,
    read: awaited(queue, (_t: Tensor) => {}, contentOf),
    readF32: awaited(queue, check.checkReadF32, (t: Tensor, into?: Float32Array) => {
      const content = contentOf(t) as Float32Array
      into?.set(content)
      return into ?? content
    }),
    /** Frees the memory under the tensor: the tensor it is a window on and all other windows end with it. */
    free(t: Tensor): void {
      live(t).storage.data = null
    },
    finish: (): Promise<void> => settle(queue, undefined),
  }
}

/** A copy, bf16 widened. */
function contentOf(t: Tensor): Float32Array | Int32Array {
  const copy = allocate(t.shape, t.dtype === 'i32' ? 'i32' : 'f32')
  elementwise.copy(copy, t)
  return copy.data as Float32Array | Int32Array
}

function elementwiseOperations(queue: Queue) {
  return {
    fill: enqueued(queue, check.checkFill, elementwise.fill),
    copy: enqueued(queue, check.checkCopy, elementwise.copy),
    transpose: enqueued(queue, check.checkTranspose, elementwise.transpose),
    add: enqueued(queue, check.checkAdd, elementwise.add),
    addInPlace: enqueued(queue, check.checkAddInPlace, elementwise.addInPlace),
    scaleInPlace: enqueued(queue, check.checkScaleInPlace, elementwise.scaleInPlace),
    broadcastRow: enqueued(queue, check.checkBroadcastRow, elementwise.broadcastRow),
    columnSums: enqueued(queue, check.checkColumnSums, elementwise.columnSums),
    gatherRows: enqueued(queue, check.checkGatherRows, elementwise.gatherRows),
    scatterRows: enqueued(queue, check.checkScatterRows, elementwise.scatterRows),
    clipNorm: enqueued(queue, check.checkClipNorm, elementwise.clipNorm),
    adam: enqueued(queue, check.checkAdam, elementwise.adam),
  }
}

function transformerOperations(queue: Queue) {
  return {
    linearForward: enqueued(queue, checkLayer.checkLinearForward, transformer.linearForward),
    linearBackward: enqueued(queue, checkLayer.checkLinearBackward, transformer.linearBackward),
    linearTransposedForward: enqueued(
      queue,
      checkLayer.checkLinearTransposedForward,
      transformer.linearTransposedForward,
    ),
    linearTransposedBackward: enqueued(
      queue,
      checkLayer.checkLinearTransposedBackward,
      transformer.linearTransposedBackward,
    ),
    embedForward: enqueued(queue, checkLayer.checkEmbedForward, transformer.embedForward),
    embedBackward: enqueued(queue, checkLayer.checkEmbedBackward, transformer.embedBackward),
    layerNormForward: enqueued(queue, checkLayer.checkLayerNormForward, norm.layerNormForward),
    layerNormBackward: enqueued(queue, checkLayer.checkLayerNormBackward, norm.layerNormBackward),
    rmsNormForward: enqueued(queue, checkLayer.checkRmsNormForward, norm.rmsNormForward),
    rmsNormBackward: enqueued(queue, checkLayer.checkRmsNormBackward, norm.rmsNormBackward),
    activationForward: enqueued(queue, checkLayer.checkActivationForward, activation.activationForward),
    activationBackward: enqueued(queue, checkLayer.checkActivationBackward, activation.activationBackward),
    gatedForward: enqueued(queue, checkLayer.checkGatedForward, activation.gatedForward),
    gatedBackward: enqueued(queue, checkLayer.checkGatedBackward, activation.gatedBackward),
    softCapForward: enqueued(queue, checkLayer.checkSoftCapForward, activation.softCapForward),
    softCapBackward: enqueued(queue, checkLayer.checkSoftCapBackward, activation.softCapBackward),
    rotaryForward: enqueued(queue, checkLayer.checkRotaryForward, rotary.rotaryForward),
    rotaryBackward: enqueued(queue, checkLayer.checkRotaryBackward, rotary.rotaryBackward),
    attentionForward: enqueued(queue, checkLayer.checkAttentionForward, attention.attentionForward),
    attentionBackward: enqueued(queue, checkLayer.checkAttentionBackward, attention.attentionBackward),
    attentionCachedForward: enqueued(
      queue,
      checkLayer.checkAttentionCachedForward,
      attention.attentionCachedForward,
    ),
    crossEntropyForward: enqueued(
      queue,
      checkLayer.checkCrossEntropyForward,
      transformer.crossEntropyForward,
    ),
    crossEntropyBackward: enqueued(
      queue,
      checkLayer.checkCrossEntropyBackward,
      transformer.crossEntropyBackward,
    ),
    klDivergence: enqueued(queue, checkLayer.checkKlDivergence, transformer.klDivergence),
  }
}

function saeOperations(queue: Queue): SaeKernels {
  return {
    saePack(wEnc: Tensor, precision: SaePrecision, smoothing: Tensor | null): SaePacked {
      checkSae.checkSaePack(wEnc, precision, smoothing)
      expectLive([wEnc, smoothing])
      return new ReferencePacked([...wEnc.shape])
    },
    saeRepack: enqueued(queue, (packed, wEnc) => expectPacked('saeRepack', packed, wEnc), noWork),
    saeFreePacked(packed: SaePacked): void {
      livePacked(packed).freed = true
    },
    saeStep: awaited(queue, checkStep, saeStep),
    saeEncode: awaited(queue, checkEncode, sae.saeEncode),
    saeDecode: enqueued(queue, checkDecode, sae.saeDecode),
    saeReconstruct: enqueued(queue, checkReconstruct, sae.saeReconstruct),
    saeEncodeFeatures: enqueued(queue, checkSae.checkSaeEncodeFeatures, sae.saeEncodeFeatures),
    saeNormalize: enqueued(queue, checkSae.checkSaeNormalize, normalize.saeNormalize),
    saeDenormalizeInPlace: enqueued(
      queue,
      checkSae.checkSaeDenormalizeInPlace,
      normalize.saeDenormalizeInPlace,
    ),
    saeSquaredErrors: enqueued(queue, checkSae.checkSaeSquaredErrors, normalize.saeSquaredErrors),
    saeCompare: enqueued(queue, checkSae.checkSaeCompare, statistics.saeCompare),
    saeAddProducts: enqueued(queue, checkSae.checkSaeAddProducts, statistics.saeAddProducts),
    saeAddPairs: enqueued(queue, checkSae.checkSaeAddPairs, statistics.saeAddPairs),
    mixInPlace: enqueued(queue, checkSae.checkMixInPlace, elementwise.mixInPlace),
  }
}

function noWork(_packed: SaePacked, _wEnc: Tensor): void {}

/** A packed W_enc, if there is one, must be alive and of the shape of `wEnc`. */
function expectPacked(operation: string, packed: SaePacked | null, wEnc: Tensor): void {
  if (packed !== null) checkSae.expectPackedShape(operation, livePacked(packed).shape, wEnc)
}

/** What is left out of the reference: it is the oracle, and has all features and rows. */
function expectAlone(operation: string, ranks: SaeRanks | undefined): void {
  if (!ranks?.features && !ranks?.data) return
  throw new MonosemError(
    'native',
    `${operation}: an autoencoder on several ranks needs the compiled kernels`,
    {
      hint: 'compile them: npm run build:native',
    },
  )
}

function checkStep(training: SaeTraining, x: Tensor, y: Tensor, options: SaeStepOptions): void {
  checkSae.checkSaeStep(training, x, y, options)
  expectAlone('saeStep', options.ranks)
  expectPacked('saeStep', training.packed, training.params.wEnc)
}

function checkEncode(...[params, x, form, packed, ranks]: Parameters<SaeKernels['saeEncode']>): void {
  checkSae.checkSaeEncode(params, x, form, ranks)
  expectAlone('saeEncode', ranks)
  expectPacked('saeEncode', packed, params.wEnc)
}

function checkDecode(...[xHat, params, codes, x, ranks]: Parameters<SaeKernels['saeDecode']>): void {
  checkSae.checkSaeDecode(xHat, params, codes, x, ranks)
  expectAlone('saeDecode', ranks)
}

function checkReconstruct(
  ...[xHat, losses, params, x, y, form, packed, ranks]: Parameters<SaeKernels['saeReconstruct']>
): void {
  checkSae.checkSaeReconstruct(xHat, losses, params, x, y, form, ranks)
  expectAlone('saeReconstruct', ranks)
  expectPacked('saeReconstruct', packed, params.wEnc)
}

function syntheticOperations(queue: Queue): SyntheticKernels {
  return {
    syntheticCreate(law: SyntheticLaw): SyntheticGenerator {
      checkSynthetic.checkSyntheticCreate(law)
      expectLive([law.directions, law.bias])
      return new synthetic.ReferenceGenerator(law)
    },
    syntheticFill: enqueued(queue, checkGenerate, synthetic.syntheticFill),
    syntheticSample: awaited(queue, checkGenerate, synthetic.syntheticSample),
  }
}

function checkGenerate(x: Tensor, generator: SyntheticGenerator, range: SampleRange): void {
  if (!(generator instanceof synthetic.ReferenceGenerator))
    throw new MonosemError('shape', 'a generator of other kernels was given to the reference kernels')
  checkSynthetic.checkSyntheticFill(x, generator, range)
}
