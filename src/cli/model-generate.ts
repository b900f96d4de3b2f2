import type { Command } from 'commander'
import { z } from 'zod'
import { addFlags, readFlags } from '../config/flags.js'
import { generateConfigSchema } from '../model/sample-config.js'
import type { Json } from '../storage/stage.js'
import { printable } from '../terminal/printable.js'
import { addCommand } from './command.js'
import { addModelSource, openModel } from './model-source.js'
import type { Session } from './session.js'

const writeSchema = z.object({
  prompt: z
    .array(z.string())
    .default([''])
    .describe('texts to continue, all at once; a text starts where one is empty'),
  ...generateConfigSchema.shape,
  greedy: z.boolean().default(false).describe('take the most likely token each time, as --temperature 0'),
  prependBos: z
    .boolean()
    .default(true)
    .describe('let each prompt start with the start-of-text token, as the model was trained'),
})

/** `monosem model generate`, which is also called `model sample` */
export function addGenerate(model: Command): void {
  const command = addCommand(
    model,
    'generate',
    {
      description: 'Let a model continue one text, or several at once.',
      example:
        "monosem model generate --model gpt2 --prompt 'The river' 'The garden' --max-tokens 40 --temperature 0.7",
    },
    async (session, command) => {
      const { prompt: prompts, greedy, prependBos, ...options } = readFlags(command, writeSchema)
      using model = await openModel(session, command)
      const texts = prompts.map((prompt) => ({ prompt, continuation: '', tokens: [] as number[] }))
      const given = prompts.map((prompt) => model.tokenize(prompt, { prependBos }))
      const { signal } = session.context
      const writing = { ...options, ...(greedy && { temperature: 0 }), signal }
      const show = streamTo(session, prompts)
      for await (const { sequence, token, text } of model.generate(given, writing)) {
        texts[sequence].tokens.push(token)
        texts[sequence].continuation += text
        show?.(text)
      }
      const whole = texts.map(({ prompt, continuation }) => printable(prompt + continuation))
      const [first] = texts
      return {
        json: {
          model: model.name,
          ...(texts.length === 1 && { prompt: first.prompt, continuation: first.continuation }),
          texts,
        } as unknown as Json,
        text: show ? '' : whole.join('\n\n'),
      }
    },
  ).alias('sample')
  addFlags(addModelSource(command), writeSchema)
}

/** Shows a single text while it is written, where somebody watches; null otherwise. */
function streamTo({ options }: Session, prompts: readonly string[]): ((text: string) => void) | null {
  if (options.json || prompts.length !== 1 || !process.stdout.isTTY) return null
  process.stdout.write(printable(prompts[0]))
  return (text) => process.stdout.write(printable(text))
}
