import type { Command } from 'commander'
import { addFlags, readFlags } from '../config/flags.js'
import { corpusConfigSchema } from '../corpus/corpus-config.js'
import { runCorpusStage } from '../corpus/corpus-stage.js'
import type { Json } from '../storage/stage.js'
import { addCommand } from './command.js'
import { madeOrReused, renderJson } from './outcome.js'
import { addPaths, readPaths } from './run-paths.js'
import { readStageJson } from './stage-json.js'

/** `monosem corpus build` */
export function addCorpus(program: Command): void {
  const corpus = program.command('corpus').description('text: the built-in corpus, or your own files')
  const build = addCommand(
    corpus,
    'build',
    {
      description:
        'Train a tokenizer on text and store the text as tokens, split by document for training and validation.',
      example: "monosem corpus build --text 'notes/**/*.md' --vocabulary-size 2048 --out runs/notes/corpus",
    },
    async (session, command) => {
      const { out } = readPaths(command, [], 'corpus')
      const result = await runCorpusStage(readFlags(command, corpusConfigSchema), { out }, session.context)
      const statistics = await readStageJson<Record<string, Json>>(result.directory, 'corpus', 'corpus.json')
      return {
        json: { ...result, ...statistics },
        text: `${madeOrReused(result)}\n${renderJson(statistics)}`,
      }
    },
  )
  addFlags(addPaths(build, [], 'corpus'), corpusConfigSchema)
}
