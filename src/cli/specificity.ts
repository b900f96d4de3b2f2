import type { Command } from 'commander'
import { z } from 'zod'
import { addFlags, readFlags } from '../config/flags.js'
import { MonosemError } from '../errors/monosem-error.js'
import { loadInputs } from '../eval/eval-stage.js'
import { measureSpecificity } from '../interp/measure-specificity.js'
import { loadPredicateFile } from '../interp/predicate-file.js'
import { choosePredicates, type Predicate, regexPredicate, scriptPredicate } from '../interp/predicates.js'
import { renderSpecificity, specificityLegend } from '../interp/render-specificity.js'
import { specificityConfigSchema } from '../interp/specificity-config.js'
import type { Json } from '../storage/stage.js'
import { addCommand } from './command.js'
import { featureId } from './feature-id.js'
import { addPaths, readPaths } from './run-paths.js'

/** How a concept is named on the command line: exactly one of the first four. */
const conceptSchema = z.object({
  regex: z.string().min(1).optional().describe('the concept: inside matches of a regular expression'),
  script: z
    .string()
    .min(1)
    .optional()
    .describe('the concept: characters of a script of Unicode, e.g. Arabic'),
  predicate: z
    .string()
    .min(1)
    .optional()
    .describe(
      'the concept: a .js, .mjs or .ts file whose default export is (text) => [start, end][], the stretches of a document in which it holds',
    ),
  concept: z.string().min(1).optional().describe('a built-in concept: arabic, hebrew, dna, base64'),
  ignoreCase: z.boolean().default(false).describe('--regex takes upper and lower case for the same'),
})

/** `monosem features specificity` */
export function addSpecificity(features: Command): void {
  const command = addCommand(
    features,
    'specificity',
    {
      description:
        'Measure how specific features are for a concept: precision, recall and log-likelihood ratio by activation.',
      example: 'monosem features specificity 1344 --run runs/demo --script Arabic',
    },
    async (session, command) => {
      const paths = readPaths(command, ['corpus', 'model', 'sae'])
      const config = readFlags(command, specificityConfigSchema)
      const ids = command.args.map(featureId)
      const predicate = await readConcept(readFlags(command, conceptSchema))
      const inputs = await loadInputs(paths, await session.kernels())
      const results = await measureSpecificity(config, ids, predicate, inputs, session.context)
      const texts = results.map((result) => renderSpecificity(result, session.color))
      const legend = results.some(({ fires }) => fires > 0) ? [specificityLegend] : []
      return { json: results as unknown as Json, text: [...texts, ...legend].join('\n\n') }
    },
  )
  addPaths(command.argument('<id...>', 'numbers of the features'), ['corpus', 'model', 'sae'])
  addFlags(addFlags(command, conceptSchema), specificityConfigSchema)
}

async function readConcept(options: z.infer<typeof conceptSchema>): Promise<Predicate> {
  const { regex, script, predicate, concept } = options
  const given = [regex, script, predicate, concept].filter((value) => value !== undefined)
  if (given.length !== 1)
    throw new MonosemError(
      'config',
      `expected exactly one of --regex, --script, --predicate and --concept, got ${given.length}`,
      { hint: "for example --script Arabic, or --regex '\\d+'" },
    )
  if (regex !== undefined) return regexPredicate('regex', regex, options.ignoreCase)
  if (script !== undefined) return scriptPredicate(script)
  return predicate !== undefined ? loadPredicateFile(predicate) : choosePredicates([concept as string], [])[0]
}
