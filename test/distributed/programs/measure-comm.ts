// Run by several ranks: measures small exchanges; rank 0 prints the report, and every rank checks that it got the same.
import { openMpi } from '../../../src/distributed/mpi.js'
import { gatherValues } from '../../../src/distributed/values.js'
import { measureComm } from '../../../src/scaling/measure-comm.js'

const { communicator, finalize } = openMpi()
const report = await measureComm(communicator, { largest: 100_000, trialSeconds: 0.002 })
const all = await gatherValues(communicator, report)
if (all) console.log(JSON.stringify(all))
finalize()
