/** Numbers with a shape, in JavaScript's own memory: nothing has to be freed. `shape` is row-major. */
export interface NdArray<Data = Float32Array> {
  shape: number[]
  data: Data
}
