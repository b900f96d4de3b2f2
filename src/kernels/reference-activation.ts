import type { ActivationKind, Tensor } from './kernels.js'
import { f32 } from './reference-tensor.js'

const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI)

/** The error function by its series erf(x) = 2/sqrt(pi) exp(-x^2) sum 2^n x^(2n+1) / (1 3 ... (2n+1)): no cancellation. */
export function erf(x: number): number {
  // also NaN, on which the sum below would never settle
  if (!(Math.abs(x) <= 6)) return Math.sign(x)
  let term = x
  let sum = 0
  for (let n = 1; sum + term !== sum; n++) {
    sum += term
    term *= (2 * x * x) / (2 * n + 1)
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))

/** The argument of GELU's tanh. */
const tanhArgument = (x: number): number => SQRT_2_OVER_PI * (x + 0.044715 * x ** 3)

/** An elementwise function and its derivative. */
interface Activation {
  value(x: number): number
  slope(x: number): number
}

const ACTIVATIONS: Record<ActivationKind, Activation> = {
  // Hendrycks & Gimpel 2016: x Phi(x)
  gelu: {
    value: (x) => 0.5 * x * (1 + erf(x / Math.SQRT2)),
    slope: (x) => 0.5 * (1 + erf(x / Math.SQRT2)) + (x * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI),
  },
  // the same authors' approximation
  gelu_tanh: {
    value: (x) => 0.5 * x * (1 + Math.tanh(tanhArgument(x))),
    slope(x) {
      const tanh = Math.tanh(tanhArgument(x))
      return 0.5 * (1 + tanh) + 0.5 * x * (1 - tanh * tanh) * SQRT_2_OVER_PI * (1 + 3 * 0.044715 * x * x)
    },
  },
  silu: {
    value: (x) => x * sigmoid(x),
    slope: (x) => sigmoid(x) * (1 + x * (1 - sigmoid(x))),
  },
  relu: {
    value: (x) => Math.max(0, x),
    slope: (x) => (x > 0 ? 1 : x <= 0 ? 0 : Number.NaN),
  },
}

/** out = act(x) */
export function activationForward(out: Tensor, x: Tensor, kind: ActivationKind): void {
  const [outs, xs, { value }] = [f32(out), f32(x), ACTIVATIONS[kind]]
  for (let i = 0; i < xs.length; i++) outs[i] = value(xs[i])
}

/** dx = dout act'(x) */
export function activationBackward(dx: Tensor, dout: Tensor, x: Tensor, kind: ActivationKind): void {
  const [dxs, douts, xs, { slope }] = [f32(dx), f32(dout), f32(x), ACTIVATIONS[kind]]
  for (let i = 0; i < xs.length; i++) dxs[i] = douts[i] * slope(xs[i])
}

/** out = act(gate) up */
export function gatedForward(out: Tensor, gate: Tensor, up: Tensor, kind: ActivationKind): void {
  const [outs, gates, ups, { value }] = [f32(out), f32(gate), f32(up), ACTIVATIONS[kind]]
  for (let i = 0; i < gates.length; i++) outs[i] = value(gates[i]) * ups[i]
}

/** dgate = dout up act'(gate), dup = dout act(gate) */
export function gatedBackward(
  dgate: Tensor,
  dup: Tensor,
  dout: Tensor,
  gate: Tensor,
  up: Tensor,
  kind: ActivationKind,
): void {
  const [dgates, dups, douts, gates, ups] = [dgate, dup, dout, gate, up].map(f32)
  const { value, slope } = ACTIVATIONS[kind]
  for (let i = 0; i < gates.length; i++) {
    const [g, u, d] = [gates[i], ups[i], douts[i]]
    dgates[i] = d * u * slope(g)
    dups[i] = d * value(g)
  }
}

/** out = cap tanh(x / cap) */
export function softCapForward(out: Tensor, x: Tensor, cap: number): void {
  const [outs, xs] = [f32(out), f32(x)]
  for (let i = 0; i < xs.length; i++) outs[i] = cap * Math.tanh(xs[i] / cap)
}

/** dx = dout (1 - (out / cap)^2) */
export function softCapBackward(dx: Tensor, dout: Tensor, out: Tensor, cap: number): void {
  const [dxs, douts, outs] = [f32(dx), f32(dout), f32(out)]
  for (let i = 0; i < outs.length; i++) dxs[i] = douts[i] * (1 - (outs[i] / cap) ** 2)
}
