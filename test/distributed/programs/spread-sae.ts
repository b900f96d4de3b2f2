// Run by several ranks: an autoencoder whose features they share is measured, written into the directory that is named, and resampled.
import { writeFileSync } from 'node:fs'
import { serialize } from 'node:v8'
import { createMesh } from '../../../src/distributed/mesh.js'
import { openMpi } from '../../../src/distributed/mpi.js'
import { gatherValues } from '../../../src/distributed/values.js'
import { loadKernels } from '../../../src/kernels/load.js'
import { measureAndWrite, resampleThrice } from '../spread-sae.js'

const [directory, results] = process.argv.slice(2)
const { communicator, finalize } = openMpi()
const mesh = await createMesh(communicator, {})
const kernels = await loadKernels()
const found = {
  measured: await measureAndWrite(kernels, mesh, directory),
  resampled: await resampleThrice(kernels, mesh),
}
const all = await gatherValues(communicator, found)
if (all) writeFileSync(results, serialize(all))
finalize()
