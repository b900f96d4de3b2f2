/** Uniform arrangements that features of equal importance take, and the dimensions that each feature of them has (Elhage et al. 2022, "The geometry of superposition"). */
export const commonPolytopes = [
  { name: 'dimension of its own', dimensionality: 1 },
  { name: 'tetrahedron', dimensionality: 3 / 4 },
  { name: 'triangle', dimensionality: 2 / 3 },
  { name: 'antipodal pair', dimensionality: 1 / 2 },
  { name: 'pentagon', dimensionality: 2 / 5 },
  { name: 'square antiprism', dimensionality: 3 / 8 },
] as const
