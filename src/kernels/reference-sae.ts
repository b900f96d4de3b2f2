import type { Codes, SaeForm, SaePacked, SaeTensors, Tensor } from './kernels.js'
import {
  activationFunction,
  decodeRow,
  encodeRows,
  encoderInput,
  preActivations,
} from './reference-sae-forward.js'
import { f32 } from './reference-tensor.js'

/** xHat, y [N, Dout], x [N, D], losses [N] or null */
export function saeReconstruct(
  xHat: Tensor,
  losses: Tensor | null,
  params: SaeTensors,
  x: Tensor,
  y: Tensor,
  form: SaeForm,
  _packed: SaePacked | null,
): void {
  const d = y.shape[1]
  encodeRows(params, x, form).forEach((row, n) => {
    const decoded = decodeRow(row, params, x, n)
    // before xHat is stored: it may be x or y itself
    if (losses !== null)
      f32(losses)[n] = decoded.reduce((sum, value, c) => sum + (value - f32(y)[n * d + c]) ** 2, 0)
    f32(xHat).set(decoded, n * d)
  })
}

/** The active features of every token of x [N, D]. */
export function saeEncode(params: SaeTensors, x: Tensor, form: SaeForm, _packed: SaePacked | null): Codes {
  const rows = encodeRows(params, x, form)
  const rowOffsets = new Int32Array(rows.length + 1)
  rows.forEach((row, n) => {
    rowOffsets[n + 1] = rowOffsets[n] + row.ids.length
  })
  const featureIds = new Int32Array(rowOffsets[rows.length])
  const values = new Float32Array(rowOffsets[rows.length])
  rows.forEach((row, n) => {
    featureIds.set(row.ids, rowOffsets[n])
    values.set(row.values, rowOffsets[n])
  })
  return { rowOffsets, featureIds, values }
}

/** xHat [N, Dout] from the codes of N tokens */
export function saeDecode(xHat: Tensor, params: SaeTensors, codes: Codes, x: Tensor | null): void {
  const [count, d] = xHat.shape
  for (let n = 0; n < count; n++) {
    const [from, to] = [codes.rowOffsets[n], codes.rowOffsets[n + 1]]
    const row = {
      ids: [...codes.featureIds.subarray(from, to)],
      values: [...codes.values.subarray(from, to)],
    }
    f32(xHat).set(decodeRow(row, params, x, n), n * d)
  }
}

/** out [N, n] of the n features `ids`; the k largest are not sought */
export function saeEncodeFeatures(
  out: Tensor,
  params: SaeTensors,
  x: Tensor,
  ids: Int32Array,
  form: SaeForm,
): void {
  const activate = activationFunction(params, form.activation)
  for (let n = 0; n < x.shape[0]; n++) {
    const input = encoderInput(params, x, n, form.subtractDecoderBias)
    const pre = preActivations(params, input, ids)
    f32(out).set(
      pre.map((value, i) => activate(value, ids[i])),
      n * ids.length,
    )
  }
}
