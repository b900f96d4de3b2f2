import { z } from 'zod'
import type { Overview } from '../protocol.js'
import { openPart, readPartJson } from './part-files.js'

const nullable = z.number().nullable()
const studiesSchema = z.array(
  z.object({
    name: z.string(),
    feature: nullable,
    correlation: nullable,
    precisionAboveHalfMax: nullable,
    recall: nullable,
    bestNeuronCorrelation: nullable,
  }),
)

/** The features that track given concepts best. @returns null without case studies @throws MonosemError missing (unfinished), corrupt */
export async function readCaseStudiesPart(directory: string): Promise<Overview['caseStudies']> {
  const stage = await openPart(directory, 'case-studies')
  return stage && readPartJson(stage, 'case-studies.json', studiesSchema)
}
