const word = new Uint32Array(1)
const float = new Float32Array(word.buffer)

/** The upper 16 bits of a float32, rounded to nearest, ties to even. NaN stays NaN. */
export function toBf16(value: number): number {
  float[0] = value
  const bits = word[0]
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16
}

/** The float32 whose upper 16 bits these are. */
export function fromBf16(bits: number): number {
  word[0] = bits << 16
  return float[0]
}
