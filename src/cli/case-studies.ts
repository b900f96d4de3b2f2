import type { Command } from 'commander'
import { addFlags, readFlags } from '../config/flags.js'
import { readCaseStudies, runCaseStudiesStage } from '../interp/case-studies.js'
import { caseStudiesConfigSchema } from '../interp/case-studies-config.js'
import { levelLegend, renderCaseStudies, renderCaseStudy } from '../interp/render-case-studies.js'
import type { CaseStudy } from '../interp/study-predicates.js'
import type { Json } from '../storage/stage.js'
import { addCommand } from './command.js'
import { madeOrReused } from './outcome.js'
import { addPaths, readPaths } from './run-paths.js'
import type { CaseStudySummary } from './summary.js'

/** `monosem case-studies` */
export function addCaseStudies(program: Command): void {
  const command = addCommand(
    program,
    'case-studies',
    {
      description:
        'Find the features that best track exact predicates (scripts, DNA, base64, your own), beside the best neurons.',
      example: "monosem case-studies --run runs/demo --patterns 'year=(19|20)\\d\\d' --out runs/demo/years",
    },
    async (session, command) => {
      const paths = readPaths(command, ['corpus', 'model', 'sae'], 'case-studies')
      const config = readFlags(command, caseStudiesConfigSchema)
      const result = await runCaseStudiesStage(config, paths, {
        ...session.context,
        kernels: await session.kernels(),
      })
      const studies = await readCaseStudies(result.directory)
      const made = studies.filter(({ reason }) => reason === null)
      const tables = [
        renderCaseStudies(studies),
        ...made.map(renderCaseStudy),
        ...(made.length > 0 ? [levelLegend] : []),
      ]
      return {
        json: { ...result, studies: studies as unknown as Json },
        text: `${madeOrReused(result)}\n\n${tables.join('\n\n')}`,
      }
    },
  )
  addFlags(addPaths(command, ['corpus', 'model', 'sae'], 'case-studies'), caseStudiesConfigSchema)
}

/** The figures of a study that belong into summary.json. */
export const caseStudySummary = (study: CaseStudy): CaseStudySummary => ({
  name: study.name,
  feature: study.feature,
  correlation: study.correlation,
  precisionAboveHalfMax: study.precisionAboveHalfMax,
  recall: study.recall,
  bestNeuronCorrelation: study.bestNeuronCorrelation,
})
