import { join } from 'node:path'
import type { Command } from 'commander'
import { attribute } from '../attribution/attribute.js'
import { attributeConfigSchema } from '../attribution/attribute-config.js'
import { renderAttribution } from '../attribution/render-attribution.js'
import { addFlags, readFlags } from '../config/flags.js'
import { loadTokenizer } from '../corpus/tokenizer.js'
import { singleToken } from '../model/logit-metric.js'
import { loadTransformer } from '../model/model-stage.js'
import { promptTokens } from '../model/prompt-tokens.js'
import { loadSae } from '../sae/sae.js'
import type { Json } from '../storage/stage.js'
import { addCommand } from './command.js'
import { namesForSae } from './feature-findings.js'
import { addOptionalPaths, addPaths, addRunArgument, readPaths } from './run-paths.js'

/** `monosem attribute` */
export function addAttribute(program: Command): void {
  const command = addCommand(
    program,
    'attribute',
    {
      description:
        'Which features act for a next token: gradient x activation and direct effect, checked by true ablation.',
      example: "monosem attribute --run runs/demo --prompt 'The river runs through' --target ' the'",
    },
    async (session, command) => {
      const paths = readPaths(command, ['model', 'sae'])
      const config = readFlags(command, attributeConfigSchema)
      const kernels = await session.kernels()
      const model = await loadTransformer(kernels, paths.model)
      const sae = await loadSae(kernels, paths.sae)
      const tokenizer = await loadTokenizer(join(paths.model, 'tokenizer.json'))
      const explanations = await namesForSae(command, paths.sae)
      const against = config.against === '' ? null : singleToken(tokenizer, config.against, '--against')
      const found = await attribute(model, sae, promptTokens(model, tokenizer, config.prompt), {
        metric: {
          kind: against === null ? config.metric : 'logit-difference',
          target: singleToken(tokenizer, config.target, '--target'),
          against,
        },
        by: config.by,
        verify: config.verify,
      })
      return {
        json: {
          ...found,
          features: found.features
            .slice(0, config.top)
            .map((one) => ({ ...one, explanation: explanations.get(one.feature) ?? null })),
        } as unknown as Json,
        text: renderAttribution(found, { tokenizer, top: config.top, width: session.width, explanations }),
      }
    },
  )
  addPaths(addRunArgument(command), ['model', 'sae'])
  addFlags(addOptionalPaths(command, ['features', 'explanations']), attributeConfigSchema)
}
