/** Widens bfloat16 bits to float32: they are the upper half of its bits. */
export function bf16ToF32(bits: Uint16Array): Float32Array {
  const words = new Uint32Array(bits.length)
  for (let i = 0; i < bits.length; i++) words[i] = bits[i] << 16
  return new Float32Array(words.buffer)
}

/** The bfloat16 bits of numbers that were widened from bfloat16: the upper half of theirs. Others are cut, not rounded. */
export function bf16Bits(values: Float32Array): Uint16Array {
  const halves = new Uint16Array(values.buffer, values.byteOffset, 2 * values.length)
  const bits = new Uint16Array(values.length)
  for (let i = 0; i < bits.length; i++) bits[i] = halves[2 * i + 1]
  return bits
}

/** Widens IEEE 754 half-precision bits (1 sign, 5 exponent, 10 fraction) to float32, exactly. */
export function f16ToF32(bits: Uint16Array): Float32Array {
  const out = new Float32Array(bits.length)
  for (let i = 0; i < bits.length; i++) {
    const sign = bits[i] & 0x8000 ? -1 : 1
    const exponent = (bits[i] >> 10) & 0x1f
    const fraction = bits[i] & 0x3ff
    if (exponent === 0x1f) out[i] = fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY
    else if (exponent === 0) out[i] = sign * fraction * 2 ** -24
    else out[i] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
  }
  return out
}
