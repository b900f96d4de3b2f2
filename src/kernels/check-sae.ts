import {
  checkAdamOptions,
  expectInteger,
  expectInts,
  expectNumber,
  expectTensor,
  misfit,
  shapeText,
} from './check.js'
import type { Codes, SaeActivation, SaeStepOptions, SaeTensors, Tensor } from './kernels.js'

/** A batch [N, D]; unlike the layers, the autoencoder wants at least one row. */
function expectBatch(op: string, name: string, x: Tensor): readonly number[] {
  const shape = expectTensor(op, name, x, ['N', 'D'])
  if (shape[0] < 1 || shape[1] < 1)
    throw misfit(op, `${name} [N, D] with N and D at least 1`, shapeText(shape))
  return shape
}

/** The four tensors agree with each other and with the width D of the activations; returns [F, D]. */
function expectSae(op: string, name: string, sae: SaeTensors, d: number): [features: number, d: number] {
  const [features] = expectTensor(op, `${name}.wEnc`, sae.wEnc, ['F', d])
  if (features < 1) throw misfit(op, `${name} with at least one feature`, shapeText(sae.wEnc.shape))
  expectTensor(op, `${name}.bEnc`, sae.bEnc, [features])
  expectTensor(op, `${name}.wDec`, sae.wDec, [features, d])
  expectTensor(op, `${name}.bDec`, sae.bDec, [d])
  return [features, d]
}

function expectActivation(op: string, activation: SaeActivation, features: number): void {
  if (activation.kind === 'topk') expectInteger(op, 'k', activation.k, 1, features)
  else if (activation.kind !== 'relu') throw misfit(op, 'activation relu or topk', JSON.stringify(activation))
}

function checkSaeStepOptions(options: SaeStepOptions, features: number): void {
  expectActivation('saeStep', options.activation, features)
  expectNumber('saeStep', 'l1Coefficient', options.l1Coefficient, 0)
  checkAdamOptions('saeStep', options.adam)
  if (options.auxK === undefined) return
  expectInteger('saeStep', 'auxK.k', options.auxK.k, 1)
  expectNumber('saeStep', 'auxK.coefficient', options.auxK.coefficient, 0)
  expectInteger('saeStep', 'auxK.deadAfterTokens', options.auxK.deadAfterTokens, 1)
}

export function checkSaeStep(
  params: SaeTensors,
  m: SaeTensors,
  v: SaeTensors,
  tokensSinceFired: Tensor,
  x: Tensor,
  options: SaeStepOptions,
): void {
  const [, d] = expectBatch('saeStep', 'x', x)
  const [features] = expectSae('saeStep', 'params', params, d)
  expectTensor('saeStep', 'm.wEnc', m.wEnc, [features, d])
  expectSae('saeStep', 'm', m, d)
  expectTensor('saeStep', 'v.wEnc', v.wEnc, [features, d])
  expectSae('saeStep', 'v', v, d)
  expectInts('saeStep', 'tokensSinceFired', tokensSinceFired, [features])
  checkSaeStepOptions(options, features)
}

export function checkSaeReconstruct(
  xHat: Tensor,
  losses: Tensor | null,
  params: SaeTensors,
  x: Tensor,
  activation: SaeActivation,
): void {
  const [n, d] = expectBatch('saeReconstruct', 'x', x)
  expectTensor('saeReconstruct', 'xHat', xHat, [n, d])
  if (losses !== null) expectTensor('saeReconstruct', 'losses', losses, [n])
  const [features] = expectSae('saeReconstruct', 'params', params, d)
  expectActivation('saeReconstruct', activation, features)
}

export function checkSaeEncode(params: SaeTensors, x: Tensor, activation: SaeActivation): void {
  const [, d] = expectBatch('saeEncode', 'x', x)
  const [features] = expectSae('saeEncode', 'params', params, d)
  expectActivation('saeEncode', activation, features)
}

/** Also looks through the codes, which are plain arrays: offsets ascend from 0 to nnz, ids are below F. */
export function checkSaeDecode(xHat: Tensor, params: SaeTensors, codes: Codes): void {
  const [n, d] = expectBatch('saeDecode', 'xHat', xHat)
  const [features] = expectSae('saeDecode', 'params', params, d)
  const { rowOffsets, featureIds, values } = codes
  if (rowOffsets.length !== n + 1) throw misfit('saeDecode', `${n + 1} rowOffsets`, String(rowOffsets.length))
  if (featureIds.length !== values.length) {
    throw misfit('saeDecode', `as many values as the ${featureIds.length} featureIds`, String(values.length))
  }
  const ascending = rowOffsets.every((offset, i) => i === 0 || offset >= rowOffsets[i - 1])
  if (rowOffsets[0] !== 0 || rowOffsets[n] !== values.length || !ascending) {
    throw misfit(
      'saeDecode',
      `rowOffsets ascending from 0 to ${values.length}`,
      `${rowOffsets[0]} .. ${rowOffsets[n]}`,
    )
  }
  const stray = featureIds.find((id) => id < 0 || id >= features)
  if (stray !== undefined) throw misfit('saeDecode', `featureIds in 0 .. ${features - 1}`, String(stray))
}
