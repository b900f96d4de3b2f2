import type { Command } from 'commander'
import type { LanguageModel } from '../model/language-model.js'
import { parameterCount } from '../model/transformer.js'
import type { Json } from '../storage/stage.js'
import { renderTable } from '../terminal/table.js'
import { addCommand } from './command.js'
import { addModelSource, openModel } from './model-source.js'
import { renderJson } from './outcome.js'

/** `monosem model info` */
export function addInfo(model: Command): void {
  const command = addCommand(
    model,
    'info',
    {
      description: 'Show what a model is: its family, sizes, tokenizer and hook points with their widths.',
      example: 'monosem model info --model gpt2 --json',
    },
    async (session, command) => {
      using model = await openModel(session, command)
      const { config, tokenizer } = model
      const figures = {
        model: model.name,
        ...config,
        parameters: parameterCount(config),
        tokens: tokenizer.vocabularySize,
        startOfText: tokenizer.tokenText(tokenizer.startOfText),
        endOfText: tokenizer.tokenText(tokenizer.endOfText),
      }
      const hooks = model.hookNames().map((name) => ({ name, width: widthOf(model, name) }))
      return {
        json: { ...figures, hooks } as unknown as Json,
        text: `${renderJson(figures as unknown as Record<string, Json>)}\n\n${renderHooks(hooks)}`,
      }
    },
  )
  addModelSource(command)
}

interface HookPoint {
  name: string
  /** null of an attention pattern, [B, H, T, T] */
  width: number | null
}

const widthOf = (model: LanguageModel, name: string): number | null =>
  name.endsWith('hook_pattern') ? null : model.hookWidth(name)

/** Those of the first block stand for all blocks: they are alike. */
function renderHooks(hooks: readonly HookPoint[]): string {
  const shown = hooks.filter(({ name }) => !/^blocks\.[1-9]/.test(name))
  const columns = [{ heading: 'hook point', align: 'left' as const }, { heading: 'width' }]
  const rows = shown.map(({ name, width }) => [
    name.replace('blocks.0.', 'blocks.N.'),
    width === null ? 'H x T x T' : String(width),
  ])
  return renderTable(columns, rows)
}
